namespace SharedPageCache.Mappings;

/// <summary>
/// Makes new versions of a file's tree in which a range is forgotten, punched or cut off and the dirty pages that remain
/// are kept: they are on no device, so no engine could answer for them.
/// </summary>
/// <remarks>
/// All of it inside the file's gate, alone, and under the volume's binding lock: a copied leaf shows provisional frames,
/// and no publication comes between the copy and the moment when the file shows it. Nothing is stored here; the caller
/// stores the whole new version with one release.
/// </remarks>
internal static class TreeSurgery
{
    /// <summary>
    /// A leaf of the file's own for the place of another: with its provisional slots, and with all else as told.
    /// </summary>
    public static Leaf Carry(FileMapping file, long window, Leaf old, int slotCount, Leaf? newer, long age)
    {
        old.Lock.Enter();
        var own = old.CopyFor(file.Stamp, slotCount, newer, age, file.Volume.PageShift, file.Volume.Ledger);
        old.Lock.Exit();
        own.Family.Adopt(file.Family, window);
        file.Volume.Regions.Add(own);
        return own;
    }

    /// <summary>What is known of a range of windows is dropped, but for dirty pages.</summary>
    public static PageTree Forget(FileMapping file, long firstWindow, long lastWindow)
    {
        var dirty = DirtyLeaves(file.Tree, firstWindow, lastWindow);
        var tree = file.Tree.With(firstWindow, lastWindow, leaf: null, file.Volume.Ledger, file.Stamp);
        foreach (var (window, leaf) in dirty)
        {
            var own = Carry(file, window, leaf, leaf.Slots.Length, newer: null, Leaf.Void);
            tree = tree.With(window, window, own, file.Volume.Ledger, file.Stamp);
        }

        return tree;
    }

    /// <summary>
    /// Pages become holes. The engine answers for the windows; only those that keep dirty pages are cut page by page.
    /// </summary>
    public static PageTree Punch(FileMapping file, long firstPage, long lastPage, List<PageReference> lost)
    {
        var (firstWindow, lastWindow) = (Window.Of(firstPage), Window.Of(lastPage));
        var dirty = DirtyLeaves(file.Tree, firstWindow, lastWindow);
        var tree = file.Tree.With(firstWindow, lastWindow, leaf: null, file.Volume.Ledger, file.Stamp);
        foreach (var (window, leaf) in dirty)
        {
            var first = (int)Math.Max(0, firstPage - (window << Window.Shift));
            var last = (int)Math.Min(leaf.Slots.Length - 1, lastPage - (window << Window.Shift));
            Collect(leaf, first, last, lost);
            if (first > 0 || last < leaf.Slots.Length - 1)
            {
                var own = Carry(file, window, leaf, leaf.Slots.Length, newer: null, Leaf.Void);
                PunchSlots(file, own, first, last);
                tree = tree.With(window, window, own, file.Volume.Ledger, file.Stamp);
            }
        }

        return tree;
    }

    /// <summary>
    /// Pages are what the engine says from now on. The windows are forgotten; those that keep other dirty pages, page by page.
    /// </summary>
    public static PageTree Withdraw(FileMapping file, long firstPage, long lastPage, List<PageReference> lost)
    {
        var tree = Forget(file, Window.Of(firstPage), Window.Of(lastPage));
        foreach (var (window, leaf) in DirtyLeaves(tree, Window.Of(firstPage), Window.Of(lastPage)))
        {
            // A copy that nobody has seen yet.
            var first = (int)Math.Max(0, firstPage - (window << Window.Shift));
            var last = (int)Math.Min(leaf.Slots.Length - 1, lastPage - (window << Window.Shift));
            Collect(leaf, first, last, lost);
            leaf.Lock.Enter();
            for (var slot = first; slot <= last; slot++)
            {
                leaf.Withdraw(slot, file.Volume.Ledger);
            }

            leaf.Lock.Exit();
        }

        return tree;
    }

    /// <summary>Another length.</summary>
    /// <param name="file">The file.</param>
    /// <param name="length">The new length in bytes.</param>
    /// <param name="lost">Receives the provisional references that are cut off.</param>
    /// <param name="firstWindow">The first window of which the file may have another leaf afterwards.</param>
    /// <param name="firstCut">The first page that has no content any more; the largest number if there is none.</param>
    public static PageTree Reshape(
        FileMapping file, long length, List<PageReference> lost, out long firstWindow, out long firstCut)
    {
        var (volume, tree) = (file.Volume, file.Tree);
        var (pages, known) = (PagesOf(length, volume), PagesOf(tree.Length, volume));
        firstCut = pages < known ? pages : long.MaxValue;
        if (pages < known)
        {
            foreach (var (window, leaf) in DirtyLeaves(tree, Window.Of(pages), long.MaxValue))
            {
                Collect(leaf, (int)Math.Max(0, pages - (window << Window.Shift)), leaf.Slots.Length - 1, lost);
            }
        }

        // The leaf at the end has as many slots as there are pages: it is made anew, with the dirty pages that stay. So it is if
        // a page is cut in two that is not dirty: the engine may show it by fewer blocks now, or by others.
        firstWindow = Window.Of(Math.Max(0, Math.Min(pages, known) - 1));
        var fresh = tree.WithLength(length, volume.PageShift, volume.Ledger, file.Stamp);
        if (tree.FindLeaf(firstWindow) is { } end)
        {
            var kept = (int)Math.Min(Window.Pages, pages - (firstWindow << Window.Shift));
            var cutsPage = length < tree.Length && (length & (volume.PageSize - 1)) != 0;
            if (kept != end.Slots.Length || (cutsPage && !end.IsProvisional(kept - 1)))
            {
                var own = kept > 0 && end.HasProvisionals ? Resized(file, end, firstWindow, kept) : null;
                fresh = fresh.With(firstWindow, firstWindow, own, volume.Ledger, file.Stamp);
            }
        }

        return fresh;
    }

    /// <summary>A tree in which nothing but the file's dirty pages is known, for a clone of a file that is in change.</summary>
    public static PageTree OnlyDirty(FileMapping file)
    {
        var volume = file.Volume;
        var tree = PageTree.Create(file.Tree.Length, volume.PageShift, volume.Ledger, FileMapping.NewStamp());
        foreach (var (window, leaf) in DirtyLeaves(file.Tree, 0, long.MaxValue))
        {
            var own = Carry(file, window, leaf, leaf.Slots.Length, newer: null, Leaf.Void);
            tree = tree.With(window, window, own, volume.Ledger, tree.Stamp);
        }

        return tree;
    }

    /// <summary>The provisional references in a range of pages, with their pages.</summary>
    public static List<(long Page, PageReference Reference)> ProvisionalsOf(PageTree tree, long firstPage, long lastPage)
    {
        var found = new List<(long, PageReference)>();
        foreach (var (window, leaf) in DirtyLeaves(tree, Window.Of(firstPage), Window.Of(lastPage)))
        {
            var start = window << Window.Shift;
            for (var slot = (int)Math.Max(0, firstPage - start); slot < leaf.Slots.Length && start + slot <= lastPage; slot++)
            {
                if (leaf.IsProvisional(slot))
                {
                    found.Add((start + slot, leaf[slot]));
                }
            }
        }

        return found;
    }

    /// <summary>Whether any page of a tree is dirty. Costs in proportion to its windows.</summary>
    public static bool IsDirty(PageTree tree)
    {
        var any = false;
        tree.ForEachLeaf((_, leaf) => any |= leaf.HasProvisionals);
        return any;
    }

    private static long PagesOf(long length, VolumeMap volume) => (length - 1 >> volume.PageShift) + 1;

    /// <summary>The leaves with dirty pages in a range of windows.</summary>
    public static List<(long Window, Leaf Leaf)> DirtyLeaves(PageTree tree, long firstWindow, long lastWindow)
    {
        var dirty = new List<(long, Leaf)>();
        tree.ForEachLeaf(firstWindow, lastWindow, (window, leaf) =>
        {
            if (leaf.HasProvisionals)
            {
                dirty.Add((window, leaf));
            }
        });
        return dirty;
    }

    private static void Collect(Leaf leaf, int firstSlot, int lastSlot, List<PageReference> found)
    {
        for (var slot = firstSlot; slot <= lastSlot; slot++)
        {
            if (leaf.IsProvisional(slot))
            {
                found.Add(leaf[slot]);
            }
        }
    }

    /// <summary>A leaf for the end of the file, with the dirty pages of the old one that stay.</summary>
    private static Leaf Resized(FileMapping file, Leaf end, long window, int kept)
    {
        var own = Carry(file, window, end, Math.Max(kept, end.Slots.Length), newer: null, Leaf.Void);
        if (kept < end.Slots.Length)
        {
            PunchSlots(file, own, kept, end.Slots.Length - 1);
        }

        return own;
    }

    private static void PunchSlots(FileMapping file, Leaf own, int first, int last)
    {
        var shift = file.Volume.PageShift;
        own.Lock.Enter();
        own.ExchangeRuns(first << shift, last + 1 << shift, replacement: null);
        for (var slot = first; slot <= last; slot++)
        {
            own.Punch(slot, file.Volume.Ledger);
        }

        own.Lock.Exit();
    }
}
