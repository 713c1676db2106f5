namespace SharedPageCache.Reflink;

/// <summary>A run of a file and where it lies, as the file system reports it (FIEMAP).</summary>
/// <param name="FileOffset">First byte of the run in the file.</param>
/// <param name="Length">Length in bytes; the last extent may reach past the end of the file.</param>
/// <param name="PhysicalOffset">
/// First byte on the volume: a device address on XFS, a logical address of the file system on btrfs. Meaningless where
/// <see cref="HasAddress"/> is false.
/// </param>
/// <param name="Flags">The file system's own flags.</param>
public readonly record struct PhysicalExtent(long FileOffset, long Length, long PhysicalOffset, PhysicalExtentFlags Flags)
{
    private const PhysicalExtentFlags NotFinal =
        PhysicalExtentFlags.Unknown | PhysicalExtentFlags.DelayedAllocation | PhysicalExtentFlags.Encoded
        | PhysicalExtentFlags.Encrypted | PhysicalExtentFlags.NotAligned | PhysicalExtentFlags.Inline
        | PhysicalExtentFlags.TailPacked;

    /// <summary>Whether the bytes of the volume at <see cref="PhysicalOffset"/> are, one for one, the bytes of the file.</summary>
    public bool HasAddress => (Flags & NotFinal) == 0;

    /// <summary>Whether the file system says that other files, or other places of this one, show the same blocks.</summary>
    public bool IsShared => (Flags & PhysicalExtentFlags.Shared) != 0;

    /// <summary>Whether the blocks were allocated but never written: the run reads zero.</summary>
    public bool IsUnwritten => (Flags & PhysicalExtentFlags.Unwritten) != 0;

    /// <inheritdoc/>
    public override string ToString() => $"[{FileOffset}, {FileOffset + Length}) at {PhysicalOffset} {Flags}";
}
