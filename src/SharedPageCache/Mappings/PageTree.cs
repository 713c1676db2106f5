using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>An inner node of a page tree: up to 512 children, leaves on the lowest level, nodes above.</summary>
/// <remarks>
/// <para>
/// Arrays are sized to the file. A child goes from null to present under the node's lock (a fault publishing what all
/// sharers have in common) and back to null, by compare-and-swap, when a leaf or an empty node is reclaimed; it is never
/// exchanged for another in place. A file whose truth changes copies its path.
/// </para>
/// <para>
/// A node without children is <em>closed</em> under its lock before it is taken out of its parent: nothing is added to it
/// any more, so nothing that somebody still counts on goes with it. Who finds a closed node takes it out and begins again.
/// </para>
/// </remarks>
internal class InnerNode
{
    public const int Fanout = 512;
    public const int FanoutShift = 9;

    /// <summary>Object, array header and ticket.</summary>
    public const int FixedBytes = 136;

    /// <summary>On the lowest inner level.</summary>
    public readonly Leaf?[]? Leaves;

    /// <summary>On the levels above.</summary>
    public readonly InnerNode?[]? Children;

    /// <summary>The stamp of the file that made the node: while it is the file's stamp, nobody else reaches the node.</summary>
    public readonly long Stamp;

    private readonly NodeTicket _ticket;
    private TinyLock _lock;
    private int _closed;

    public InnerNode(int width, bool lowest, NodeLedger ledger, long stamp)
    {
        Stamp = stamp;
        if (lowest)
        {
            Leaves = new Leaf?[width];
        }
        else
        {
            Children = new InnerNode?[width];
        }

        _ticket = new NodeTicket(ledger, FixedBytes + 8 * width);
    }

    /// <summary>A copy that shares all children.</summary>
    protected InnerNode(InnerNode source, NodeLedger ledger, long stamp)
        : this(source.Width, source.Leaves is not null, ledger, stamp)
    {
        CopyChildren(source);
    }

    public int Width => Leaves?.Length ?? Children!.Length;

    public InnerNode Copy(NodeLedger ledger, long stamp) => new(this, ledger, stamp);

    /// <summary>Shares the children of another node of the same level, as far as they fit. Before this node is shared.</summary>
    /// <remarks>
    /// Leaves are copied as one block, each reference whole. What faults put into the source meanwhile is in the copy or not; the barrier
    /// puts all that was read before the release by which this node is shared, so that a leaf is seen as it was published.
    /// </remarks>
    public void CopyChildren(InnerNode source)
    {
        var count = Math.Min(Width, source.Width);
        if (Leaves is not null)
        {
            Array.Copy(source.Leaves!, Leaves, count);
            Atomic.ReadBarrier();
            return;
        }

        for (var i = 0; i < count; i++)
        {
            Children![i] = source.ChildAt(i) is { IsClosed: false } child ? child : null;
        }
    }

    public Leaf? LeafAt(int index) => Atomic.LoadAcquire(ref Leaves![index]);

    public InnerNode? ChildAt(int index) => Atomic.LoadAcquire(ref Children![index]);

    public bool IsClosed => Atomic.LoadAcquire(ref _closed) != 0;

    /// <summary>Whether the node has no children.</summary>
    public bool IsEmpty => Leaves is not null
        ? Array.TrueForAll(Leaves, static leaf => leaf is null)
        : Array.TrueForAll(Children!, static child => child is null);

    /// <summary>The child at an index, made if there is none. Null if this node is closed.</summary>
    public InnerNode? GetOrAddChild(int index, bool lowest, NodeLedger ledger)
    {
        var known = ChildAt(index);
        if (known is { IsClosed: true })
        {
            Remove(index, known);
            known = null;
        }

        if (known is not null)
        {
            return known;
        }

        var fresh = new InnerNode(Fanout, lowest, ledger, Stamp);
        _lock.Enter();
        known = IsClosed ? null : Atomic.CompareExchange(ref Children![index], fresh, null) ?? fresh;
        _lock.Exit();
        if (known != fresh)
        {
            fresh._ticket.Discard();
        }

        return known;
    }

    /// <summary>Puts a leaf where there is none.</summary>
    /// <param name="index">Where.</param>
    /// <param name="leaf">The leaf.</param>
    /// <param name="known">The leaf that is there already.</param>
    /// <returns>False if there is one, or if this node is closed.</returns>
    public bool TryAddLeaf(int index, Leaf leaf, out Leaf? known)
    {
        _lock.Enter();
        var isOpen = !IsClosed;
        known = isOpen ? Atomic.CompareExchange(ref Leaves![index], leaf, null) : null;
        _lock.Exit();
        return isOpen && known is null;
    }

    /// <summary>Takes a closed child out if it is still there.</summary>
    public void Remove(int index, InnerNode closed) => Atomic.CompareExchange(ref Children![index], null, closed);

    /// <summary>Closes the node for good if it has no children.</summary>
    public bool TryClose()
    {
        if (IsClosed)
        {
            return true;
        }

        if (!IsEmpty)
        {
            return false;
        }

        _lock.Enter();
        var isEmpty = IsEmpty;
        Atomic.StoreRelease(ref _closed, isEmpty ? 1 : 0);
        _lock.Exit();
        if (isEmpty)
        {
            _ticket.Discard();
        }

        return isEmpty;
    }
}

/// <summary>
/// One version of a file: its length and the root of its radix tree of page references. Clones share the very object.
/// </summary>
/// <remarks>
/// <para>
/// <b>The hidden rule.</b> A shared node promises that all its sharers have the same truth below it, cached or not. So
/// whatever changes one file's truth makes a new version by copying that file's path, even where nothing is cached.
/// </para>
/// <para>
/// <b>Cost.</b> The root is as wide as the file needs and the height follows the length: a file of up to 1 GiB (of 4 KiB
/// pages) has root and leaves, one of 512 GiB a level more. An untouched window costs eight bytes.
/// </para>
/// <para>
/// <b>Reading</b> takes no lock: acquire loads from the root down. Nodes are managed objects that are never recycled, so
/// a reader needs no version of the tree: what it holds stays what it was.
/// </para>
/// </remarks>
internal sealed class PageTree : InnerNode
{
    private PageTree(long length, int height, int width, NodeLedger ledger, long stamp)
        : base(width, height == 1, ledger, stamp)
    {
        Length = length;
        Height = height;
    }

    private PageTree(PageTree source, NodeLedger ledger, long stamp)
        : base(source, ledger, stamp)
    {
        Length = source.Length;
        Height = source.Height;
    }

    /// <summary>The length of the file in bytes.</summary>
    public long Length { get; }

    /// <summary>Inner levels, the root included.</summary>
    public int Height { get; }

    public static PageTree Create(long length, int pageShift, NodeLedger ledger, long stamp)
    {
        var (height, width) = ShapeOf(length, pageShift);
        return new PageTree(length, height, width, ledger, stamp);
    }

    /// <summary>How many windows a file of a length has; an empty file has one.</summary>
    public static long WindowsOf(long length, int pageShift) =>
        Math.Max(1, (length - 1 >> pageShift + Window.Shift) + 1);

    public PageTree CopyRoot(NodeLedger ledger, long stamp) => new(this, ledger, stamp);

    /// <summary>The leaf of a window, or null; null also for a window behind the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Leaf? FindLeaf(long window)
    {
        var leaves = Leaves;
        return leaves is null ? FindLeafBelow(window)
            : (ulong)window < (ulong)leaves.Length ? Atomic.LoadAcquire(ref leaves[(int)window])
            : null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Leaf? FindLeafBelow(long window)
    {
        if (!Has(window))
        {
            return null;
        }

        InnerNode? node = this;
        for (var level = Height - 1; level > 0; level--)
        {
            node = node.ChildAt(IndexAt(window, level));
            if (node is null)
            {
                return null;
            }
        }

        return node.LeafAt(IndexAt(window, 0));
    }

    /// <summary>
    /// Publishes a leaf that all sharers of this version have in common.
    /// </summary>
    /// <returns>The leaf that is in the tree now: the given one, or one that was there before.</returns>
    public Leaf Publish(long window, Leaf leaf, NodeLedger ledger)
    {
        while (true)
        {
            // A node that is closed on the way is taken out by the next attempt.
            InnerNode? node = this;
            for (var level = Height - 1; level > 0 && node is not null; level--)
            {
                node = node.GetOrAddChild(IndexAt(window, level), lowest: level == 1, ledger);
            }

            if (node is null)
            {
                continue;
            }

            if (node.TryAddLeaf(IndexAt(window, 0), leaf, out var known))
            {
                if (leaf.IsDead)
                {
                    // Buried meanwhile; the sweeper may have been here before the leaf was.
                    TryUnlink(window, leaf);
                }

                return leaf;
            }

            if (known is not null)
            {
                return known;
            }
        }
    }

    /// <summary>Takes out a leaf if it is still there.</summary>
    public bool TryUnlink(long window, Leaf leaf)
    {
        if (!Has(window))
        {
            // The file was longer when it adopted the leaf.
            return false;
        }

        InnerNode? node = this;
        for (var level = Height - 1; level > 0 && node is not null; level--)
        {
            node = node.ChildAt(IndexAt(window, level));
        }

        return node is not null
            && Atomic.CompareExchange(ref node.Leaves![IndexAt(window, 0)], null, leaf) == leaf;
    }

    /// <summary>Takes out the inner nodes on the way to a window that have no children any more.</summary>
    public void Prune(long window)
    {
        if (Has(window))
        {
            Prune(this, Height - 1, window);
        }
    }

    /// <summary>Whether the root has room for a window.</summary>
    private bool Has(long window) => window >> (Height - 1) * FanoutShift < Width;

    private static void Prune(InnerNode node, int level, long window)
    {
        if (level > 0 && node.ChildAt(IndexAt(window, level)) is { } child)
        {
            Prune(child, level - 1, window);
            if (child.TryClose())
            {
                node.Remove(IndexAt(window, level), child);
            }
        }
    }

    /// <summary>Whether every node on the way to a window, the root included, has a stamp.</summary>
    public bool IsOwnedTo(long window, long stamp)
    {
        if (!Has(window))
        {
            return false;
        }

        InnerNode? node = this;
        for (var level = Height - 1; node is not null && node.Stamp == stamp; level--)
        {
            if (level == 0)
            {
                return true;
            }

            node = node.ChildAt(IndexAt(window, level));
        }

        return false;
    }

    /// <summary>
    /// A new version in which the windows of a range have another leaf, or none; everything else is shared with this one.
    /// </summary>
    public PageTree With(long firstWindow, long lastWindow, Leaf? leaf, NodeLedger ledger, long stamp)
    {
        var copy = CopyRoot(ledger, stamp);
        Replace(copy, Height - 1, 0, firstWindow, lastWindow, leaf, ledger, stamp);
        return copy;
    }

    /// <summary>A new version of another length. What lies behind a shorter length is cut off; a longer one has nothing there.</summary>
    public PageTree WithLength(long length, int pageShift, NodeLedger ledger, long stamp)
    {
        var (height, width) = ShapeOf(length, pageShift);
        var fresh = new PageTree(length, height, width, ledger, stamp);
        var windows = WindowsOf(length, pageShift);
        var known = WindowsOf(Length, pageShift);
        InnerNode? from = windows < known ? With(windows, known - 1, leaf: null, ledger, stamp) : this;
        InnerNode to = fresh;
        for (var level = Height; level > height && from is not null; level--)
        {
            from = from.ChildAt(0);
        }

        for (var level = height; level > Height; level--)
        {
            var child = new InnerNode(Fanout, level == 2, ledger, stamp);
            to.Children![0] = child;
            to = child;
        }

        if (from is not null)
        {
            to.CopyChildren(from);
        }

        return fresh;
    }

    /// <summary>Visits every leaf with its window, in order.</summary>
    public void ForEachLeaf(Action<long, Leaf> visit) => ForEachLeaf(0, long.MaxValue, visit);

    /// <summary>Visits the leaves of a range of windows, in order.</summary>
    public void ForEachLeaf(long firstWindow, long lastWindow, Action<long, Leaf> visit) =>
        ForEachLeaf(this, Height - 1, 0, firstWindow, lastWindow, visit);

    private static (int Height, int Width) ShapeOf(long length, int pageShift)
    {
        var windows = WindowsOf(length, pageShift);
        var height = 1;
        while (windows > Fanout)
        {
            windows = (windows - 1 >> FanoutShift) + 1;
            height++;
        }

        return (height, (int)windows);
    }

    private static int IndexAt(long window, int level) =>
        (int)(window >> level * FanoutShift & (Fanout - 1));

    private static void ForEachLeaf(
        InnerNode node, int level, long nodeFirst, long first, long last, Action<long, Leaf> visit)
    {
        var span = 1L << level * FanoutShift;
        var from = (int)Math.Clamp((first - nodeFirst) / span, 0, node.Width);
        for (var i = from; i < node.Width && nodeFirst + i * span <= last; i++)
        {
            if (level == 0)
            {
                if (node.LeafAt(i) is { } leaf)
                {
                    visit(nodeFirst + i, leaf);
                }
            }
            else if (node.ChildAt(i) is { } child)
            {
                ForEachLeaf(child, level - 1, nodeFirst + i * span, first, last, visit);
            }
        }
    }

    /// <summary>Changes a node that is still private to the new version.</summary>
    private static void Replace(
        InnerNode node, int level, long nodeFirst, long first, long last, Leaf? leaf, NodeLedger ledger, long stamp)
    {
        var span = 1L << level * FanoutShift;
        var from = (int)Math.Clamp((first - nodeFirst) / span, 0, node.Width);
        var to = (int)Math.Min(node.Width - 1, (last - nodeFirst) / span);
        for (var i = from; i <= to; i++)
        {
            if (level == 0)
            {
                node.Leaves![i] = leaf;
                continue;
            }

            var childFirst = nodeFirst + i * span;
            var child = node.ChildAt(i);
            if (leaf is null && (child is null || (first <= childFirst && childFirst + span - 1 <= last)))
            {
                node.Children![i] = null;
                continue;
            }

            var copy = child?.Copy(ledger, stamp) ?? new InnerNode(Fanout, level == 1, ledger, stamp);
            Replace(copy, level - 1, childFirst, Math.Max(first, childFirst), Math.Min(last, childFirst + span - 1), leaf, ledger, stamp);
            node.Children![i] = leaf is null && copy.TryClose() ? null : copy;
        }
    }
}
