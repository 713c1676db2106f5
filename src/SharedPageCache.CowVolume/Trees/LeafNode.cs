namespace SharedPageCache.Cow.Trees;

/// <summary>A node of level 0: the blocks that hold a window of a file; 0 is a hole.</summary>
internal sealed class LeafNode(long birth, long[] blocks) : MetaBlock(birth)
{
    public long[] Blocks { get; } = blocks;

    public bool IsEmpty => !Blocks.AsSpan().ContainsAnyExcept(0);
}
