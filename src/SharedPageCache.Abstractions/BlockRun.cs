namespace SharedPageCache;

/// <summary>A run of physical bytes of one volume.</summary>
/// <param name="Offset">
/// Byte address on the device, a multiple of the device's block size; -1 in <see cref="None"/>.
/// </param>
/// <param name="Length">Length in bytes, a multiple of the device's block size.</param>
public readonly record struct BlockRun(long Offset, long Length)
{
    /// <summary>
    /// No run: the bytes have no address of their own and can only be read through the file that shows them (an
    /// <see cref="ExtentFlags.Opaque"/> extent).
    /// </summary>
    public static BlockRun None => new(-1, 0);

    /// <summary>Whether this is a run with an address.</summary>
    public bool IsSome => Offset >= 0;

    /// <summary>The first byte address after the run.</summary>
    public long End => Offset + Length;

    /// <summary>Whether the two runs have a byte in common.</summary>
    /// <param name="other">The other run.</param>
    public bool Overlaps(BlockRun other) =>
        IsSome && other.IsSome && Offset < other.End && other.Offset < End;

    /// <inheritdoc/>
    public override string ToString() => IsSome ? $"[{Offset}, {End})" : "no address";
}
