namespace SharedPageCache.Cow.Trees;

/// <summary>What a range of a file is replaced with.</summary>
internal interface IBlockSource
{
    /// <summary>Whether it may contain holes, so that nodes may become empty.</summary>
    bool HasHoles { get; }

    /// <summary>
    /// A whole node for a node-sized and node-aligned part of the range: null is a hole; false says that there is none
    /// to take over, and the part is replaced slot by slot.
    /// </summary>
    bool TryGetNode(long fileBlock, int level, out MetaBlock? node);

    /// <summary>The block of the volume for a block of the file; 0 is a hole.</summary>
    long GetBlock(long fileBlock);
}
