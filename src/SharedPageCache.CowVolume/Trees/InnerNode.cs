namespace SharedPageCache.Cow.Trees;

/// <summary>A node whose slots lead to nodes of the level below, or in the tree of files to their records.</summary>
internal sealed class InnerNode(long birth, int level, MetaBlock?[] children) : MetaBlock(birth)
{
    /// <summary>The height above the lowest pieces, 1 or more.</summary>
    public int Level { get; } = level;

    public MetaBlock?[] Children { get; } = children;

    public bool IsEmpty => Array.TrueForAll(Children, static child => child is null);
}
