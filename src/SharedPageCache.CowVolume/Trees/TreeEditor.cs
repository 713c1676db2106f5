using SharedPageCache.Cow.Space;

namespace SharedPageCache.Cow.Trees;

/// <summary>Reads and changes the trees of files. Every member is called under the volume's lock.</summary>
/// <remarks>
/// <para>
/// A file is a radix tree of nodes, <see cref="TreeShape.FanOut"/> slots each. Cloning shares the root: its reference
/// count goes up by one, and that is all, whatever the size. Sharing is then pushed down lazily, one path at a time:
/// whoever changes a shared node copies it, gives back one reference to the original and takes one to each child. So a
/// count above one anywhere on the way down means "not mine alone", and no count is kept for a page and a file.
/// </para>
/// <para>
/// All changes are one operation, <see cref="Replace"/>: a range takes its blocks from a source, which is a hole
/// (punch, truncate), a run (publish) or a range of another tree (range clone).
/// </para>
/// </remarks>
internal sealed class TreeEditor(TreeShape shape, SpaceMap space)
{
    public TreeShape Shape => shape;

    /// <summary>How many nodes were copied because somebody else could see them.</summary>
    public long NodesCopied { get; private set; }

    /// <summary>Takes one more reference to a tree: the clone.</summary>
    public static FileTree Share(FileTree tree)
    {
        if (tree.Root is { } root)
        {
            root.References++;
        }

        return tree;
    }

    /// <summary>Gives a reference to a tree back. Costs in proportion to what only this reference led to.</summary>
    public void Release(FileTree tree)
    {
        if (tree.Root is { } root)
        {
            Release(root);
        }
    }

    /// <summary>Replaces a range of a tree.</summary>
    /// <returns>The tree as it is now; the reference to the old one has gone into it.</returns>
    public FileTree Replace<T>(FileTree tree, long first, long end, T source)
        where T : struct, IBlockSource
    {
        var (root, level) = tree;
        while (end > shape.Span(level))
        {
            if (root is not null)
            {
                var children = new MetaBlock?[shape.FanOut];
                children[0] = root;
                root = new InnerNode(space.Generation, level + 1, children);
                space.NoteMade();
            }

            level++;
        }

        root = ReplaceNode(root, level, 0, first, end, source);
        return root is null ? FileTree.Empty : new FileTree(root, level);
    }

    /// <summary>Makes everything from a block on a hole.</summary>
    public FileTree Cut(FileTree tree, long first)
    {
        var end = shape.Span(tree.Level);
        return first >= end ? tree : Replace(tree, first, end, default(HoleSource));
    }

    /// <summary>Makes a range a hole.</summary>
    public FileTree Punch(FileTree tree, long first, long end)
    {
        end = Math.Min(end, shape.Span(tree.Level));
        return first >= end ? tree : Replace(tree, first, end, default(HoleSource));
    }

    /// <summary>The block that holds a block of a file; 0 is a hole.</summary>
    public long Find(FileTree tree, long fileBlock) =>
        fileBlock < shape.Span(tree.Level)
        && TryFindNode(tree, fileBlock & ~(shape.Span(0) - 1), 0, out var node) && node is LeafNode leaf
            ? leaf.Blocks[shape.Slot(fileBlock, 0)]
            : 0;

    /// <summary>The node of a level that covers exactly the blocks from a first one on; null is a hole.</summary>
    /// <returns>False if nodes of that level do not begin there, or if the tree is lower than that.</returns>
    public bool TryFindNode(FileTree tree, long fileBlock, int level, out MetaBlock? node)
    {
        node = null;
        if ((fileBlock & (shape.Span(level) - 1)) != 0)
        {
            return false;
        }

        if (tree.Root is null || fileBlock >= shape.Span(tree.Level))
        {
            return true;
        }

        if (level > tree.Level)
        {
            return false;
        }

        node = tree.Root;
        for (var at = tree.Level; at > level && node is InnerNode inner; at--)
        {
            node = inner.Children[shape.Slot(fileBlock, at)];
        }

        return true;
    }

    /// <summary>Adds the extents of a range, neighbours merged; holes are left out.</summary>
    public void Collect(FileTree tree, long first, long end, List<Extent> extents)
    {
        if (tree.Root is not null)
        {
            CollectNode(tree.Root, tree.Level, 0, first, end, isShared: false, extents);
        }
    }

    private MetaBlock? ReplaceNode<T>(MetaBlock? node, int level, long start, long first, long end, T source)
        where T : struct, IBlockSource
    {
        if (first <= start && end - start >= shape.Span(level) && source.TryGetNode(start, level, out var substitute))
        {
            // First take, then give back: the substitute may hang below the node.
            if (substitute is not null)
            {
                substitute.References++;
            }

            if (node is not null)
            {
                Release(node);
            }

            return substitute;
        }

        if (node is null && typeof(T) == typeof(HoleSource))
        {
            return null;
        }

        var own = Own(node, level);
        if (own is LeafNode leaf)
        {
            ReplaceSlots(leaf, start, first, end, source);
            return source.HasHoles && leaf.IsEmpty ? null : leaf;
        }

        var inner = (InnerNode)own;
        var step = shape.Span(level - 1);
        var from = Math.Max(first, start);
        for (var slot = shape.Slot(from, level); slot < shape.FanOut && start + (slot * step) < end; slot++)
        {
            inner.Children[slot] = ReplaceNode(inner.Children[slot], level - 1, start + (slot * step), first, end, source);
        }

        return source.HasHoles && inner.IsEmpty ? null : inner;
    }

    private void ReplaceSlots<T>(LeafNode leaf, long start, long first, long end, T source)
        where T : struct, IBlockSource
    {
        var from = Math.Max(first, start);
        var to = Math.Min(end, start + shape.FanOut);
        for (var at = from; at < to; at++)
        {
            ref var slot = ref leaf.Blocks[at - start];
            var block = source.GetBlock(at);
            if (block != 0)
            {
                space.AddReference(block);
            }

            if (slot != 0)
            {
                space.DropReference(slot);
            }

            slot = block;
        }
    }

    /// <summary>
    /// A node that may be changed in place, instead of one that this path leads to. The parent is ours already, so one
    /// reference means that only this path leads here.
    /// </summary>
    private MetaBlock Own(MetaBlock? node, int level)
    {
        if (node is null)
        {
            space.NoteMade();
            return level == 0
                ? new LeafNode(space.Generation, new long[shape.FanOut])
                : new InnerNode(space.Generation, level, new MetaBlock?[shape.FanOut]);
        }

        if (node.References == 1 && node.Birth == space.Generation)
        {
            return node;
        }

        NodesCopied++;
        space.NoteMade();
        MetaBlock copy = node switch
        {
            LeafNode leaf => new LeafNode(space.Generation, [.. leaf.Blocks]),
            InnerNode inner => new InnerNode(space.Generation, level, [.. inner.Children]),
            _ => throw new InvalidOperationException($"A {node.GetType().Name} is no node of a file's tree."),
        };
        if (node.References == 1)
        {
            // Only a commit still needs the original: what it led to is handed over as it is.
            space.Retire(node);
            return copy;
        }

        node.References--;
        ReferToChildren(copy);
        return copy;
    }

    private void ReferToChildren(MetaBlock node)
    {
        if (node is LeafNode leaf)
        {
            foreach (var block in leaf.Blocks)
            {
                if (block != 0)
                {
                    space.AddReference(block);
                }
            }

            return;
        }

        foreach (var child in ((InnerNode)node).Children)
        {
            if (child is not null)
            {
                child.References++;
            }
        }
    }

    private void Release(MetaBlock node)
    {
        if (--node.References > 0)
        {
            return;
        }

        if (node is LeafNode leaf)
        {
            foreach (var block in leaf.Blocks)
            {
                if (block != 0)
                {
                    space.DropReference(block);
                }
            }
        }
        else
        {
            foreach (var child in ((InnerNode)node).Children)
            {
                if (child is not null)
                {
                    Release(child);
                }
            }
        }

        space.Retire(node);
    }

    private void CollectNode(
        MetaBlock node, int level, long start, long first, long end, bool isShared, List<Extent> extents)
    {
        isShared |= node.References > 1;
        if (node is InnerNode inner)
        {
            var step = shape.Span(level - 1);
            var from = Math.Max(first, start);
            if (from - start >= shape.Span(level))
            {
                return;
            }

            for (var slot = shape.Slot(from, level); slot < shape.FanOut && start + (slot * step) < end; slot++)
            {
                if (inner.Children[slot] is { } child)
                {
                    CollectNode(child, level - 1, start + (slot * step), first, end, isShared, extents);
                }
            }

            return;
        }

        var blocks = ((LeafNode)node).Blocks;
        var last = Math.Min(end, start + shape.FanOut);
        for (var at = Math.Max(first, start); at < last; at++)
        {
            if (blocks[at - start] is var block and not 0)
            {
                Append(extents, at, block, isShared || space.References(block) > 1);
            }
        }
    }

    private void Append(List<Extent> extents, long fileBlock, long block, bool isShared)
    {
        var size = shape.BlockSize;
        var flags = isShared ? ExtentFlags.Shared : ExtentFlags.None;
        if (extents.Count > 0
            && extents[^1] is var last
            && last.FileEnd == fileBlock * size
            && last.PhysicalOffset + last.Length == block * size
            && last.Flags == flags)
        {
            extents[^1] = last with { Length = last.Length + size };
            return;
        }

        extents.Add(new Extent(fileBlock * size, size, block * size, flags));
    }
}
