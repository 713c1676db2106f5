using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>
/// Clones of ranges: whole pages are shared, clean ones by the engine and dirty ones by the cache; what is left at the edges
/// is copied. One step, all or nothing.
/// </summary>
/// <remarks>
/// <para>
/// <b>Prepare</b>, outside all locks: the pages that are copied are made aside (<see cref="RangeCopy"/>). In the turn of the
/// destination's length, so that only its source can get another length meanwhile.
/// </para>
/// <para>
/// <b>The step</b>: both gates, alone, in the order of the files -> binding lock -> compare what was prepared -> the engine's
/// hook -> a new version of the tree, stored with one release. Until the hook has returned nothing has changed, so all that
/// may throw comes before; after it nothing throws. Nobody is in either gate, so the range is the source's at one moment,
/// and a clone of either file has all of it or nothing.
/// </para>
/// <para>
/// <b>Clean pages</b> are the engine's: the destination forgets the windows of the range, and its next look finds the blocks
/// in the physical table. No knowledge of the source's tree is shared, so it does not matter whether the engine is
/// changing the source at the same time: what counts is what it answers afterwards.
/// </para>
/// <para>
/// <b>Dirty pages</b> of the source are on no device. The destination shows the very frame, in a leaf of its own; the frame
/// loses its stamp, in the same hold of the binding lock and with nobody in the gate of the only file that could carry it,
/// so neither file writes to it in place again (A3.3: also if both are one file). For the engine nothing changes at such a
/// page until it is published, to both: as with a write, what the destination had there is what a crash shows. So to what
/// is being written back such a page is overwritten (by an image of the same write-back, perhaps: then that one is bound),
/// while the page of a clean range is cut off; and a flush that owed the page it replaces owes the frame. To who has leased
/// the page for writing all are cut off alike: its copy is of what was there before.
/// </para>
/// <para>
/// <b>Cost</b>: the windows of the range that either file has in memory, and the dirty pages of both in it. No clean page is
/// looked at, nothing is read, unless a page is copied.
/// </para>
/// </remarks>
internal sealed class RangeClones(
    Rooms rooms, PageFaults faults, PageWrites writes, FileShapes shapes, ProvisionalFrames provisional, long longestFile)
{
    /// <summary>A range whose pages are shared has two ends.</summary>
    private const int MostEdges = 2;

    /// <summary>Makes a range of a file what a range of another is, clipped at the other's end.</summary>
    /// <returns>How many bytes that are.</returns>
    public async ValueTask<long> CloneAsync(
        FileMapping source, long sourceOffset, FileMapping file, long offset, long length, bool blocking, CancellationToken cancellationToken)
    {
        await FileShapes.EnterAsync(file, blocking, cancellationToken).ConfigureAwait(false);
        try
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                source.ThrowIfClosed();
                file.ThrowIfUnwritable();
                var plan = RangePlan.Of(source, sourceOffset, file, offset, length);
                if (plan.Length <= 0)
                {
                    return 0;
                }

                ThrowIfImpossible(source, file, plan);
                if (plan.ReadsBehindOldEnd)
                {
                    await shapes.ZeroTailAsync(file, blocking, cancellationToken).ConfigureAwait(false);
                }

                using var copy = new RangeCopy(rooms, faults, writes, source, file, plan);
                await copy.PrepareAsync(blocking, cancellationToken).ConfigureAwait(false);
                if (TryStep(source, file, plan, length, copy.IsStillTrue, copy))
                {
                    Note(file, copy);
                    return plan.Length;
                }
            }
        }
        finally
        {
            file.Writing.LengthTurn.Give();
        }
    }

    /// <summary>Shares what is equal of two ranges, from their beginning on to the first difference.</summary>
    /// <returns>How many bytes are shared now.</returns>
    public async ValueTask<long> DedupeAsync(
        FileMapping source, long sourceOffset, FileMapping file, long offset, long length, bool blocking, CancellationToken cancellationToken)
    {
        long shared = 0;
        length = Math.Min(length, Math.Min(source.Tree.Length - sourceOffset, file.Tree.Length - offset));
        ThrowIfOverlapping(source, sourceOffset, file, offset, length);
        for (var isEqual = true; isEqual && length > 0;)
        {
            var pieceEnd = (offset >> rooms.PageShift << rooms.PageShift) + writes.MostAtomicBytes;
            var wanted = Math.Min(length, pieceEnd - offset);
            (isEqual, var done) = await DedupePieceAsync(source, sourceOffset, file, offset, wanted, blocking, cancellationToken)
                .ConfigureAwait(false);
            shared += done;
            (sourceOffset, offset, length) = (sourceOffset + wanted, offset + wanted, length - wanted);
        }

        return shared;
    }

    /// <summary>Compares a piece page by page, and shares it if it is equal and still so inside the gates.</summary>
    private async ValueTask<(bool IsEqual, long Shared)> DedupePieceAsync(
        FileMapping source, long sourceOffset, FileMapping file, long offset, long length, bool blocking, CancellationToken cancellationToken)
    {
        await FileShapes.EnterAsync(file, blocking, cancellationToken).ConfigureAwait(false);
        try
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                source.ThrowIfClosed();
                file.ThrowIfUnwritable();
                var wanted = Math.Min(length, file.Tree.Length - offset);
                var plan = RangePlan.Of(source, sourceOffset, file, offset, wanted);
                if (plan.Length <= 0)
                {
                    return (false, 0);
                }

                ThrowIfImpossible(source, file, plan);
                using var watch = new RangeWatch(rooms, faults, source, file);
                if (!plan.IsAligned || !await AreEqualAsync(watch, source, file, plan, blocking, cancellationToken).ConfigureAwait(false))
                {
                    return (false, 0);
                }

                if (!plan.Shares || TryStep(source, file, plan, wanted, watch.IsStillTrue, copy: null))
                {
                    return (plan.Length == length, plan.SharedBytes);
                }
            }
        }
        finally
        {
            file.Writing.LengthTurn.Give();
        }
    }

    private async ValueTask<bool> AreEqualAsync(
        RangeWatch watch, FileMapping source, FileMapping file, RangePlan plan, bool blocking, CancellationToken cancellationToken)
    {
        var pages = Enumerable.Range(0, (int)(plan.EndPage - plan.FirstPage)).Select(i => plan.FirstPage + i).ToArray();
        await watch.BeginAsync(pages.Select(page => page + plan.PageDelta), pages, cancellationToken).ConfigureAwait(false);
        var (one, other) = (new byte[rooms.PageSize], new byte[rooms.PageSize]);
        foreach (var page in pages)
        {
            await watch.ReadAsync(source, page + plan.PageDelta, one, blocking, cancellationToken).ConfigureAwait(false);
            await watch.ReadAsync(file, page, other, blocking, cancellationToken).ConfigureAwait(false);
            var (start, end) = plan.PartIn(page);
            var (from, count) = ((int)(start - (page << rooms.PageShift)), (int)(end - start));
            if (!one.AsSpan(from, count).SequenceEqual(other.AsSpan(from, count)))
            {
                return false;
            }
        }

        return true;
    }

    /// <exception cref="ArgumentException">The ranges overlap in one file.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The destination's end is beyond the longest file.</exception>
    /// <exception cref="CacheCapacityException">More would have to be copied in one step than may be.</exception>
    private void ThrowIfImpossible(FileMapping source, FileMapping file, RangePlan plan)
    {
        ThrowIfOverlapping(source, plan.SourceOffset, file, plan.Offset, plan.Length);
        ThrowIfTooLong(plan.Offset, plan.Length);
        if (plan.CopiedPages > Math.Max(MostEdges, writes.MostAtomicBytes >> rooms.PageShift))
        {
            throw new CacheCapacityException(
                $"{plan.Length} bytes at {plan.SourceOffset} lie differently in their pages than at {plan.Offset}: nothing of them can be shared, and only {writes.MostAtomicBytes} bytes are copied in one step. Clone the range in parts.");
        }
    }

    private static void ThrowIfOverlapping(FileMapping source, long sourceOffset, FileMapping file, long offset, long length)
    {
        if (source == file && Math.Abs(sourceOffset - offset) < length)
        {
            throw new ArgumentException($"The ranges of {length} bytes at {sourceOffset} and at {offset} of {file} overlap.");
        }
    }

    private void ThrowIfTooLong(long destinationOffset, long length)
    {
        if (destinationOffset > longestFile - length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(destinationOffset), destinationOffset,
                $"{length} bytes at {destinationOffset} reach beyond the longest file, which has {longestFile} bytes.");
        }
    }

    /// <summary>Changes everything, or nothing.</summary>
    /// <returns>False if the files are not any more as they were when the step was prepared.</returns>
    private bool TryStep(FileMapping source, FileMapping file, RangePlan plan, long wanted, Func<bool> isStillTrue, RangeCopy? copy)
    {
        FileMapping.EnterAlone(source, file);
        file.Volume.Binding.Enter();
        try
        {
            source.ThrowIfClosed();
            file.ThrowIfUnwritable();
            if (RangePlan.Of(source, plan.SourceOffset, file, plan.Offset, wanted) != plan || !isStillTrue())
            {
                return false;
            }

            Change(source, file, plan, copy);
        }
        finally
        {
            file.Volume.Binding.Exit();
            FileMapping.LeaveAlone(source, file);
        }

        rooms.Writeback.Activity.Increment();
        return true;
    }

    private void Change(FileMapping source, FileMapping file, RangePlan plan, RangeCopy? copy)
    {
        var dirty = plan.Shares
            ? TreeSurgery.ProvisionalsOf(source.Tree, plan.FirstShared + plan.PageDelta, plan.EndShared - 1 + plan.PageDelta)
            : [];
        var clean = plan.Shares ? plan.CleanRanges(dirty) : [];
        if (plan.Shares || plan.Grows)
        {
            file.RunHook(engine =>
            {
                if (clean.Length > 0)
                {
                    engine.CloneRange(source.Extents, clean, plan.NewLength);
                }
                else if (plan.Grows)
                {
                    engine.SetLength(plan.NewLength);
                }
            }, nameof(IWritableExtentMap.CloneRange));
        }

        // From here on nothing throws.
        var lost = new List<(long Page, PageReference Reference)>();
        var (tree, firstWindow) = (file.Tree, Window.Of(plan.FirstPage));
        if (plan.Grows)
        {
            tree = TreeSurgery.Reshape(file, plan.NewLength, [], out var firstResized, out _);
            firstWindow = Math.Min(firstWindow, firstResized);
        }

        if (clean.Length > 0)
        {
            tree = RangeSurgery.Without(file, tree, plan.FirstShared, plan.EndShared - 1, lost);
            foreach (var range in clean)
            {
                file.Volume.Cuts.Add(file, range.DestinationOffset >> plan.PageShift, range.DestinationOffset + range.Length - 1 >> plan.PageShift);
            }
        }

        var showing = new Showing(rooms, file, tree, lost);
        ShowCopied(source, file, copy, showing);
        foreach (var (page, reference) in dirty)
        {
            showing.Share(page - plan.PageDelta, reference);
        }

        if (dirty.Count > 0)
        {
            // As a clone: what was not told yet may be about these pages.
            file.InheritUntold(source, plan.Offset - plan.SourceOffset);
        }

        file.NoteContent();
        if (plan.Shares)
        {
            source.Family.NoteSharedRange();
            file.Family.NoteSharedRange();
            file.Writing.Marks.NoteCut(plan.FirstShared, plan.EndShared - 1);
            file.Writing.TailMayBeStale |= plan.EndsInSharedPage;
        }

        file.Exchange(showing.Done(), firstWindow, plan.Grows ? long.MaxValue : Window.Of(plan.EndPage - 1));
        var walk = provisional.NewWalk();
        foreach (var (_, reference) in lost)
        {
            provisional.Lost(file.Volume, reference, walk, file.Stamp);
        }
    }

    private static void ShowCopied(FileMapping source, FileMapping file, RangeCopy? copy, Showing showing)
    {
        for (var i = 0; copy is not null && i < copy.Pages.Count; i++)
        {
            // The copy holds what log records of all its sources describe.
            var page = copy.Pages[i];
            var (first, last) = copy.SourcePagesOf(page);
            var lsn = LsnOf(file, page);
            for (var from = first; from <= last; from++)
            {
                lsn = LsnOf(source, from) is var newer && newer > lsn ? newer : lsn;
            }

            var leaf = showing.LeafOf(page, out var round);
            copy.Show(i, leaf, lsn, round);
        }
    }

    private static Lsn LsnOf(FileMapping file, long page) =>
        file.Tree.FindLeaf(Window.Of(page)) is { } leaf && leaf.IsProvisional(Window.SlotOf(page))
        && file.Volume.Dirty.TryGet(leaf[Window.SlotOf(page)].Frame, out var entry) ? entry.Lsn : Lsn.None;

    private void Note(FileMapping file, RangeCopy copy)
    {
        foreach (var page in copy.Pages)
        {
            if (file.Tree.FindLeaf(Window.Of(page)) is { } leaf)
            {
                rooms.Reader.TouchFirst(file, page, leaf);
            }
        }

        file.Volume.Writer!.Noted();
    }

    /// <summary>A version in the making, in whose leaves dirty pages are shown window by window.</summary>
    private sealed class Showing(Rooms rooms, FileMapping file, PageTree tree, List<(long Page, PageReference Reference)> lost)
    {
        private readonly Dictionary<long, Leaf> _own = [];
        private readonly Dictionary<long, PageReference> _lost = lost.ToDictionary(static page => page.Page, static page => page.Reference);
        private PageTree _tree = tree;

        /// <summary>The leaf to show a page in, instead of what it shows now.</summary>
        /// <param name="page">The page.</param>
        /// <param name="round">The flush that owes what is replaced and has no image of it yet; the largest number if there is none.</param>
        public Leaf LeafOf(long page, out long round)
        {
            var (window, slot) = (Window.Of(page), Window.SlotOf(page));
            if (!_own.TryGetValue(window, out var leaf))
            {
                _tree = RangeSurgery.WithOwnLeaf(file, _tree, window, out leaf);
                _own.Add(window, leaf);
            }

            if (leaf.IsProvisional(slot))
            {
                lost.Add((page, leaf[slot]));
                _lost[page] = leaf[slot];
            }

            round = _lost.TryGetValue(page, out var old) && file.Volume.Dirty.TryGet(old.Frame, out var entry)
                && rooms.Frames[old.Frame].State.Load().Phase == FramePhase.Dirty ? entry.Round : long.MaxValue;
            return leaf;
        }

        /// <summary>Shows somebody's dirty page in another place too.</summary>
        public void Share(long page, PageReference reference)
        {
            var leaf = LeafOf(page, out var round);
            rooms.Frames.SetStamp(reference.Frame, 0);
            file.Volume.Dirty.Owe(reference.Frame, round);
            leaf.Lock.Enter();
            rooms.Rmap.Add(reference.Frame, new Place(leaf.Family.Id, Window.SlotOf(page)));
            leaf.InstallProvisional(Window.SlotOf(page), reference, rooms.Ledger);
            leaf.Lock.Exit();
        }

        public PageTree Done()
        {
            foreach (var leaf in _own.Values)
            {
                leaf.LetGo();
            }

            return _tree;
        }
    }
}
