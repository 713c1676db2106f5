namespace SharedPageCache.Mappings;

/// <summary>
/// Makes new versions of a file's tree in which a range of pages is somebody else's: what was known of it is forgotten, and
/// leaves are the file's own that are going to show dirty pages.
/// </summary>
/// <remarks>
/// As <see cref="TreeSurgery"/>: inside the gates of both files, alone, and under the volume's binding lock. A version is
/// nobody's until it is stored, so its leaves may be filled meanwhile.
/// </remarks>
internal static class RangeSurgery
{
    /// <summary>
    /// Nothing is known of a range any more, its dirty pages included; around it only the dirty pages are, in the windows
    /// that it touches. No slot is made a hole: the engine has blocks there.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="tree">The version to go out from.</param>
    /// <param name="firstPage">The first page.</param>
    /// <param name="lastPage">The last page.</param>
    /// <param name="lost">Receives the dirty pages of the range, with what showed them.</param>
    public static PageTree Without(
        FileMapping file, PageTree tree, long firstPage, long lastPage, List<(long Page, PageReference Reference)> lost)
    {
        var (firstWindow, lastWindow) = (Window.Of(firstPage), Window.Of(lastPage));
        var fresh = tree.With(firstWindow, lastWindow, leaf: null, file.Volume.Ledger, file.Stamp);
        foreach (var (window, leaf) in TreeSurgery.DirtyLeaves(tree, firstWindow, lastWindow))
        {
            var start = window << Window.Shift;
            var first = (int)Math.Max(0, firstPage - start);
            var last = (int)Math.Min(leaf.Slots.Length - 1, lastPage - start);
            var before = lost.Count;
            for (var slot = first; slot <= last; slot++)
            {
                if (leaf.IsProvisional(slot))
                {
                    lost.Add((start + slot, leaf[slot]));
                }
            }

            if (leaf.Provisionals > lost.Count - before)
            {
                var own = TreeSurgery.Carry(file, window, leaf, leaf.Slots.Length, newer: null, Leaf.Void);
                Withdraw(file, own, first, last);
                fresh = fresh.With(window, window, own, file.Volume.Ledger, file.Stamp);
            }
        }

        return fresh;
    }

    /// <summary>
    /// A version with a leaf of the file's own at a window, to show dirty pages in: a copy of the one that is there, with all
    /// that it knows, or a new one that knows nothing.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="tree">The version to go out from.</param>
    /// <param name="window">The window.</param>
    /// <param name="own">The leaf; held, so that no sweep buries it before it shows a page.</param>
    public static PageTree WithOwnLeaf(FileMapping file, PageTree tree, long window, out Leaf own)
    {
        do
        {
            own = TryCopy(file, tree, window) ?? MakeEmpty(file, tree, window);
        }
        while (!own.TryHold());

        own.Family.Adopt(file.Family, window);
        return tree.With(window, window, own, file.Volume.Ledger, file.Stamp);
    }

    private static Leaf? TryCopy(FileMapping file, PageTree tree, long window)
    {
        if (tree.FindLeaf(window) is not { } known)
        {
            return null;
        }

        known.Lock.Enter();
        var copy = known.IsDead ? null
            : known.CopyFor(file.Stamp, known.Slots.Length, newer: null, known.Age, file.Volume.PageShift, file.Volume.Ledger);
        known.Lock.Exit();
        return copy;
    }

    private static Leaf MakeEmpty(FileMapping file, PageTree tree, long window)
    {
        var volume = file.Volume;
        var pages = (tree.Length - 1 >> volume.PageShift) + 1;
        var slots = (int)Math.Min(Window.Pages, pages - (window << Window.Shift));
        var nothing = WindowRuns.Encode([], Math.Min(volume.BlockSize, volume.PageSize));
        return new Leaf(slots, nothing, Leaf.Void, volume.Families.Create(), volume.Ledger, file.Stamp);
    }

    private static void Withdraw(FileMapping file, Leaf own, int first, int last)
    {
        var shift = file.Volume.PageShift;
        own.Lock.Enter();
        own.ExchangeRuns(first << shift, last + 1 << shift, replacement: null);
        for (var slot = first; slot <= last; slot++)
        {
            own.Withdraw(slot, file.Volume.Ledger);
        }

        own.Lock.Exit();
    }
}
