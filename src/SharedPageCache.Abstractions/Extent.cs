namespace SharedPageCache;

/// <summary>A run of a file and the run of the volume that holds it.</summary>
/// <remarks>
/// Offsets and lengths are multiples of the device's block size. Where an extent has neither <see cref="ExtentFlags.Hole"/>
/// nor <see cref="ExtentFlags.Unwritten"/> nor <see cref="ExtentFlags.Opaque"/>, its bytes are the device's bytes
/// [<see cref="PhysicalOffset"/>, <see cref="PhysicalOffset"/> + <see cref="Length"/>). The last extent of a file may
/// reach past the file's length; views are clipped.
/// </remarks>
/// <param name="FileOffset">First byte of the run in the file.</param>
/// <param name="Length">Length in bytes, greater than zero.</param>
/// <param name="PhysicalOffset">First byte of the run on the device; ignored for holes and opaque extents.</param>
/// <param name="Flags">What kind of run it is.</param>
/// <param name="Generation">
/// The engine's generation of these blocks: a number that differs whenever a block is given out again. 0 if the engine
/// has none; such an engine must call Discard before it reuses a block.
/// </param>
public readonly record struct Extent(
    long FileOffset,
    long Length,
    long PhysicalOffset,
    ExtentFlags Flags = ExtentFlags.None,
    uint Generation = 0)
{
    /// <summary>Makes an extent that reads zero and has no blocks.</summary>
    /// <param name="fileOffset">First byte of the run in the file.</param>
    /// <param name="length">Length in bytes.</param>
    public static Extent Hole(long fileOffset, long length) => new(fileOffset, length, 0, ExtentFlags.Hole);

    /// <summary>The first byte of the file after the run.</summary>
    public long FileEnd => FileOffset + Length;

    /// <summary>Whether the range reads zero without any device read.</summary>
    public bool ReadsZero => (Flags & (ExtentFlags.Hole | ExtentFlags.Unwritten)) != 0;

    /// <summary>Whether the bytes can only be read through the file itself.</summary>
    public bool IsOpaque => (Flags & ExtentFlags.Opaque) != 0;

    /// <inheritdoc/>
    public override string ToString() =>
        ReadsZero ? $"[{FileOffset}, {FileEnd}) zero"
        : IsOpaque ? $"[{FileOffset}, {FileEnd}) opaque"
        : $"[{FileOffset}, {FileEnd}) at {PhysicalOffset}{(Flags == ExtentFlags.None ? "" : " " + Flags)}";
}
