namespace SharedPageCache;

/// <summary>A range of a file.</summary>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Length in bytes.</param>
public readonly record struct FileRange(long Offset, long Length)
{
    /// <summary>The first byte after the range.</summary>
    public long End => Offset + Length;

    /// <inheritdoc/>
    public override string ToString() => $"[{Offset}, {End})";
}
