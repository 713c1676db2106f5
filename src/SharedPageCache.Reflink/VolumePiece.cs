namespace SharedPageCache.Reflink;

/// <summary>A run of the volume and the place of a file that shows it.</summary>
/// <param name="PhysicalOffset">First byte on the volume.</param>
/// <param name="Length">Length in bytes.</param>
/// <param name="FileOffset">First byte in the file.</param>
internal readonly record struct VolumePiece(long PhysicalOffset, long Length, long FileOffset)
{
    /// <summary>The first address after the run.</summary>
    public long End => PhysicalOffset + Length;
}
