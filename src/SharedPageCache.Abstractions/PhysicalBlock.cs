namespace SharedPageCache;

/// <summary>
/// The identity of one page-sized, page-aligned run of a volume's bytes. This is what the cache holds at most once,
/// however many files show it.
/// </summary>
/// <param name="Volume">The volume.</param>
/// <param name="Number">The byte address of the run divided by the cache's page size.</param>
/// <param name="Generation">The engine's generation of the block, or 0 if the engine has none.</param>
public readonly record struct PhysicalBlock(VolumeId Volume, long Number, uint Generation)
{
    /// <inheritdoc/>
    public override string ToString() => Generation == 0 ? $"block {Number}" : $"block {Number} gen {Generation}";
}
