using SharedPageCache.Cow.Space;

namespace SharedPageCache.Cow.Trees;

/// <summary>
/// The tree of the named files, by number: what a commit writes, and what the superblock leads to. Under the volume's lock.
/// </summary>
/// <remarks>
/// The same kind of tree as a file's, with the records of files at level 0. Nothing in it is ever shared, so a node is
/// copied exactly when the last commit has seen it.
/// </remarks>
internal sealed class FileTable(TreeShape shape, SpaceMap space)
{
    /// <summary>The root and its level; 0 is a lone record.</summary>
    public FileTree Tree { get; set; }

    /// <summary>Sets or (null) removes the record of a number.</summary>
    public void Set(ulong id, FileRecord? record)
    {
        var (root, level) = Tree;
        while (id >= Span(level))
        {
            if (root is not null)
            {
                var children = new MetaBlock?[shape.FanOut];
                children[0] = root;
                root = new InnerNode(space.Generation, level + 1, children);
            }

            level++;
        }

        root = Set(root, level, id, record);
        Tree = root is null ? FileTree.Empty : new FileTree(root, level);
    }

    /// <summary>How many numbers a node of a level covers.</summary>
    private ulong Span(int level) => level == 0 ? 1 : (ulong)shape.Span(level - 1);

    private MetaBlock? Set(MetaBlock? node, int level, ulong id, FileRecord? record)
    {
        if (level == 0)
        {
            if (node is not null)
            {
                space.Retire(node);
            }

            return record;
        }

        var own = node as InnerNode;
        if (own is null)
        {
            own = new InnerNode(space.Generation, level, new MetaBlock?[shape.FanOut]);
        }
        else if (own.Birth != space.Generation)
        {
            space.Retire(own);
            own = new InnerNode(space.Generation, level, [.. own.Children]);
        }

        var slot = shape.Slot((long)(id / Span(level - 1)), 0);
        own.Children[slot] = Set(own.Children[slot], level - 1, id, record);
        return own.IsEmpty ? null : own;
    }
}
