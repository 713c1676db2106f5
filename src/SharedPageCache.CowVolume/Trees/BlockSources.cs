using SharedPageCache.Cow.Space;

namespace SharedPageCache.Cow.Trees;

/// <summary>Nothing: the range becomes a hole.</summary>
internal readonly struct HoleSource : IBlockSource
{
    public bool HasHoles => true;

    public bool TryGetNode(long fileBlock, int level, out MetaBlock? node)
    {
        node = null;
        return true;
    }

    public long GetBlock(long fileBlock) => 0;
}

/// <summary>A run of blocks that was just written.</summary>
internal readonly struct RunSource(long firstFileBlock, Run run) : IBlockSource
{
    public bool HasHoles => false;

    public bool TryGetNode(long fileBlock, int level, out MetaBlock? node)
    {
        node = null;
        return false;
    }

    public long GetBlock(long fileBlock) => run.Start + (fileBlock - firstFileBlock);
}

/// <summary>
/// A range of a tree. Where both ranges lie alike in their trees whole nodes are shared, so a range costs in proportion
/// to its edges; else it costs in proportion to its blocks.
/// </summary>
internal readonly struct TreeSource(TreeEditor trees, FileTree tree, long delta) : IBlockSource
{
    public bool HasHoles => true;

    public bool TryGetNode(long fileBlock, int level, out MetaBlock? node) =>
        trees.TryFindNode(tree, fileBlock + delta, level, out node);

    public long GetBlock(long fileBlock) => trees.Find(tree, fileBlock + delta);
}
