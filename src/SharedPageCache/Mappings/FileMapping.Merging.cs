using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <content>Taking over what a branch shows, or what was written around the cache.</content>
internal sealed partial class FileMapping
{
    /// <summary>
    /// This file, which is what a branch began with, shows what the branch shows, from now on. Inside both gates, alone, and
    /// under the binding lock. If the engine's hook throws nothing has changed.
    /// </summary>
    /// <param name="branch">The branch.</param>
    /// <param name="lost">Receives the provisional references that this file no longer shows.</param>
    public void TakeOver(FileMapping branch, List<PageReference> lost)
    {
        var old = Tree;
        var sequence = branch.SequenceOrUnknown();
        var isSettled = sequence != UnknownSequence && sequence == branch._toldSequence;
        var fresh = isSettled ? branch.Tree : TreeSurgery.OnlyDirty(branch);
        var differing = TreeDifference.Find(old, fresh, Math.Max(WindowsOf(old), WindowsOf(fresh)));
        var kept = Volume.Dirty.Count == 0 ? [] : KeptRanges(old, fresh);
        RunHook(engine => engine.ReplaceWith(branch.Extents, kept), nameof(IWritableExtentMap.ReplaceWith));
        foreach (var (first, last) in differing)
        {
            if (Volume.Dirty.Count > 0)
            {
                CollectReplaced(old, fresh, first, last, lost);
            }

            DropTouches(old, first, last);
        }

        Become(fresh);

        // In line with all who share the nodes, if the branch was; what only has the branch's dirty pages is shared by nobody.
        _sharedSequence = !isSettled || sequence == branch._sharedSequence ? SequenceOrUnknown() : UnknownSequence;
        BeginWith(branch);
        branch.WritingIfAny?.BeginAgain();

        // Neither owns what both show.
        Atomic.StoreRelease(ref _stamp, NewStamp());
        Atomic.StoreRelease(ref branch._stamp, NewStamp());
        Writing.TailMayBeStale = true;

        // A page that is leased for writing was copied from what this file showed.
        Writing.Marks.NoteCut(0, long.MaxValue);
        if (branch.Family != Family && branch.Family.SharedRanges > 0)
        {
            Family.NoteSharedRange();
        }

        InheritUntold(branch);
    }

    /// <summary>
    /// Pages are what the engine says from now on, dirty or not. Inside the gate, alone, and under the binding lock.
    /// </summary>
    /// <param name="firstPage">The first page.</param>
    /// <param name="lastPage">The last page.</param>
    /// <param name="lost">Receives the provisional references that the file no longer shows.</param>
    public void Withdraw(long firstPage, long lastPage, List<PageReference> lost)
    {
        Volume.Cuts.Add(this, firstPage, lastPage);
        DropTouches(Tree, Window.Of(firstPage), Window.Of(lastPage));
        Store(TreeSurgery.Withdraw(this, firstPage, lastPage, lost));
    }

    private long WindowsOf(PageTree tree) => PageTree.WindowsOf(tree.Length, Volume.PageShift);

    /// <summary>
    /// The dirty pages of a range of windows that the file will not show any more. One over which the branch is dirty was
    /// overwritten: its image, if it is on its way to the device, is still bound to this file, for a flush has promised it.
    /// Any other was cut: what the engine says of it now is newer.
    /// </summary>
    private void CollectReplaced(PageTree old, PageTree fresh, long firstWindow, long lastWindow, List<PageReference> lost)
    {
        old.ForEachLeaf(firstWindow, lastWindow, (window, leaf) =>
        {
            var next = fresh.FindLeaf(window);
            for (var slot = 0; slot < leaf.Slots.Length && leaf.HasProvisionals; slot++)
            {
                if (!leaf.IsProvisional(slot))
                {
                    continue;
                }

                var isDirtyThen = next is not null && slot < next.Slots.Length && next.IsProvisional(slot);
                if (!isDirtyThen)
                {
                    var page = (window << Window.Shift) + slot;
                    Volume.Cuts.Add(this, page, page);
                }

                if (!isDirtyThen || next![slot] != leaf[slot])
                {
                    lost.Add(leaf[slot]);
                }
            }
        });
    }

    /// <summary>
    /// The pages of which the file keeps what the engine has for it: those that are dirty in the branch, neighbours joined. But
    /// not the page with the old end of a file that gets longer, for behind its end may be anything; the branch's has zeros there.
    /// </summary>
    private FileRange[] KeptRanges(PageTree old, PageTree fresh)
    {
        var tail = fresh.Length > old.Length && (old.Length & (Volume.PageSize - 1)) != 0 ? old.Length >> Volume.PageShift : -1;
        var ranges = new List<FileRange>();
        foreach (var (page, _) in TreeSurgery.ProvisionalsOf(fresh, 0, long.MaxValue))
        {
            var offset = page << Volume.PageShift;
            if (page == tail)
            {
                continue;
            }

            if (ranges.Count > 0 && ranges[^1].End == offset)
            {
                ranges[^1] = ranges[^1] with { Length = ranges[^1].Length + Volume.PageSize };
            }
            else
            {
                ranges.Add(new FileRange(offset, Volume.PageSize));
            }
        }

        return [.. ranges];
    }

    /// <summary>
    /// The map of touches is made anew, and larger, at the next use, if pages come that it has no room for. Before the new length
    /// can be seen: no reader asks for a bit behind the end.
    /// </summary>
    private void FitTouches(PageTree old, PageTree fresh)
    {
        if (Touches is { } touches && fresh.Length - 1 >> Volume.PageShift >= touches.Pages)
        {
            DropTouches(old, 0, long.MaxValue);
            touches.Close();
            Atomic.StoreRelease(ref _touches, null);
        }
    }
}
