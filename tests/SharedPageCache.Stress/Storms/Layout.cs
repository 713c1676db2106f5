namespace SharedPageCache.Stress.Storms;

/// <summary>Where the units of a file lie; immutable.</summary>
/// <param name="Base">The byte of the file at which the first unit begins; before it is a hole.</param>
/// <param name="Length">The file's length in bytes.</param>
/// <param name="Blocks">For each unit its block, or one of the constants.</param>
/// <param name="Opaque">For each unit the serial of its content if it is opaque; null if none is.</param>
internal sealed record Layout(long Base, long Length, int[] Blocks, long[]? Opaque)
{
    public const int Hole = -1;
    public const int Unwritten = -2;
    public const int OpaqueUnit = -3;

    public Layout With(int unit, ReadOnlySpan<int> blocks)
    {
        int[] copy = [.. Blocks];
        blocks.CopyTo(copy.AsSpan(unit));
        return this with { Blocks = copy };
    }
}
