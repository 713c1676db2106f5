namespace SharedPageCache.Cow.Space;

/// <summary>A run of the volume's blocks, counted in blocks.</summary>
internal readonly record struct Run(long Start, long Count)
{
    public long End => Start + Count;

    public override string ToString() => Count == 1 ? $"block {Start}" : $"blocks [{Start}, {End})";
}
