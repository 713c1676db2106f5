using CommunityToolkit.HighPerformance.Buffers;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Faults;

/// <summary>
/// The pages of a range that cannot be shared as a whole: their new content, made aside in frames of their own, to be shown
/// in the step in which the others are shared, or never.
/// </summary>
/// <remarks>
/// Content first (a <see cref="RangeWatch"/> tells whether it still holds when it is to be shown), then frames: so nothing is
/// held while a page is read, and one copy of several pages waits with frames in its hands at a time
/// (<see cref="PageWrites.FrameTurn"/>).
/// </remarks>
internal sealed class RangeCopy(Rooms rooms, PageFaults faults, PageWrites writes, FileMapping source, FileMapping file, RangePlan plan)
    : IDisposable
{
    private readonly RangeWatch _watch = new(rooms, faults, source, file);
    private readonly long[] _pages = [.. plan.Copied()];
    private readonly List<int> _frames = [];
    private SharingMoment _told;
    private bool _hasTurn;

    /// <summary>The pages of the destination, in order.</summary>
    public IReadOnlyList<long> Pages => _pages;

    /// <summary>Makes the new content of all pages.</summary>
    public async ValueTask PrepareAsync(bool blocking, CancellationToken cancellationToken)
    {
        if (_pages.Length == 0)
        {
            return;
        }

        await _watch.BeginAsync(SourcePages(), _pages, cancellationToken).ConfigureAwait(false);
        await TellAsync(blocking, cancellationToken).ConfigureAwait(false);
        using var content = MemoryOwner<byte>.Allocate(_pages.Length << rooms.PageShift, AllocationMode.Clear);
        using var aside = MemoryOwner<byte>.Allocate(rooms.PageSize);
        for (var i = 0; i < _pages.Length; i++)
        {
            await ComposeAsync(_pages[i], content.Memory.Slice(i << rooms.PageShift, rooms.PageSize), aside.Memory, blocking, cancellationToken)
                .ConfigureAwait(false);
        }

        await TakeFramesAsync(cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < _pages.Length; i++)
        {
            content.Span.Slice(i << rooms.PageShift, rooms.PageSize).CopyTo(rooms.Arena.Span(_frames[i]));
        }
    }

    /// <summary>Whether what was prepared may be shown. Inside both gates, alone.</summary>
    public bool IsStillTrue() => _pages.Length == 0 || ((!file.MayShareAny || _told == file.Sharing) && _watch.IsStillTrue());

    /// <summary>
    /// Shows a page in a leaf of a version that is nobody's yet. Inside both gates, alone, and under the binding lock.
    /// </summary>
    /// <param name="i">Which of the pages.</param>
    /// <param name="leaf">The leaf.</param>
    /// <param name="lsn">The newest log record that the content depends on.</param>
    /// <param name="round">The flush that owes what the page held before; the largest number if none does.</param>
    public void Show(int i, Leaf leaf, Lsn lsn, long round)
    {
        var (frame, slot) = (_frames[i], Window.SlotOf(_pages[i]));
        _frames[i] = -1;
        rooms.AddStaged(-1);
        var generation = rooms.Frames[frame].State.Load().Generation;
        rooms.Frames.SetStamp(frame, file.Stamp);
        rooms.Frames[frame].State.PublishDirty();
        file.Volume.Dirty.Add(
            frame, new DirtyPages.Entry(generation, file, _pages[i], lsn, rooms.Time.GetTimestamp(), round));
        leaf.Lock.Enter();
        rooms.Rmap.Add(frame, new Place(leaf.Family.Id, slot));
        leaf.InstallProvisional(slot, PageReference.Resident(frame, generation), rooms.Ledger);
        leaf.Lock.Exit();
        rooms.Frames[frame].State.EndWrite(changed: false);
    }

    /// <summary>The pages of the source that a page of the destination is made from: one, or two that follow each other.</summary>
    public (long First, long Last) SourcePagesOf(long page)
    {
        var (start, end) = plan.PartIn(page);
        var delta = plan.SourceOffset - plan.Offset;
        return (start + delta >> rooms.PageShift, end - 1 + delta >> rooms.PageShift);
    }

    public void Dispose()
    {
        GiveBack();
        GiveTurn();
        _watch.Dispose();
    }

    private IEnumerable<long> SourcePages() => _pages.SelectMany(page =>
    {
        var (first, last) = SourcePagesOf(page);
        return first == last ? new[] { first } : [first, last];
    });

    /// <summary>The engine hears of pages that are copied for a write and shared with others before they are.</summary>
    private async ValueTask TellAsync(bool blocking, CancellationToken cancellationToken)
    {
        _told = file.Sharing;
        foreach (var page in _pages)
        {
            if (page << rooms.PageShift >= plan.FileLength)
            {
                break;
            }

            if (!LeafFinder.TryFind(file, page, out var found))
            {
                await faults.FindLeafAsync(file, page, blocking, cancellationToken).ConfigureAwait(false);
            }

            if (file.MayShareAny || (LeafFinder.TryFind(file, page, out found) && file.IsShared(found.Leaf, Window.SlotOf(page))))
            {
                await writes.BeforeUnshareAsync(file, page, Keeps, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Whether nobody else gets a place of a file meanwhile: a page that is read or made anew, or the turn of the destination's length.</summary>
    private bool Keeps(object asked, long place) =>
        (asked == file && (place == FileWriting.LengthPlace || _pages.Contains(place))) || (asked == source && SourcePages().Contains(place));

    /// <summary>What the page held before, the part of the range that lies in it, and zeros behind the end.</summary>
    private async ValueTask ComposeAsync(
        long page, Memory<byte> content, Memory<byte> aside, bool blocking, CancellationToken cancellationToken)
    {
        var (pageStart, delta) = (page << rooms.PageShift, plan.SourceOffset - plan.Offset);
        var (start, end) = plan.PartIn(page);
        var known = Math.Clamp(plan.FileLength - pageStart, 0, rooms.PageSize);
        if (known > 0 && (start > pageStart || end < pageStart + known))
        {
            rooms.Writeback.PagesCopied.Increment();
            await _watch.ReadAsync(file, page, content, blocking, cancellationToken).ConfigureAwait(false);
            content.Span[(int)known..].Clear();
        }

        var (first, last) = SourcePagesOf(page);
        for (var from = first; from <= last; from++)
        {
            await _watch.ReadAsync(source, from, aside, blocking, cancellationToken).ConfigureAwait(false);
            var fromStart = from << rooms.PageShift;
            var partStart = Math.Max(start + delta, fromStart);
            var partEnd = Math.Min(end + delta, fromStart + rooms.PageSize);
            aside.Span[(int)(partStart - fromStart)..(int)(partEnd - fromStart)]
                .CopyTo(content.Span[(int)(partStart - delta - pageStart)..]);
        }
    }

    private async ValueTask TakeFramesAsync(CancellationToken cancellationToken)
    {
        var writer = file.Volume.Writer!;
        long? since = null;
        while (true)
        {
            // For one page, as a write of several: a volume's share, which it has whatever the others have, may be no more.
            var hasRoom = writer.HasRoomFor(1);
            if (hasRoom && TryTakeFrames())
            {
                return;
            }

            GiveBack();
            cancellationToken.ThrowIfCancellationRequested();
            file.ThrowIfUnwritable();
            since ??= writer.Begin();
            if (!hasRoom)
            {
                GiveTurn();
            }
            else if (_pages.Length > 1 && !_hasTurn)
            {
                await writes.FrameTurn.TakeAsync(cancellationToken).ConfigureAwait(false);
                _hasTurn = true;
                continue;
            }

            await writer.WaitAsync(file, since.Value, cancellationToken).ConfigureAwait(false);
        }
    }

    private bool TryTakeFrames()
    {
        while (_frames.Count < _pages.Length)
        {
            if (!rooms.Supply.TryTake(file.Account.Owner, out var frame))
            {
                return false;
            }

            rooms.AddStaged(1);
            _frames.Add(frame);
        }

        return true;
    }

    private void GiveTurn()
    {
        if (_hasTurn)
        {
            writes.FrameTurn.Give();
            _hasTurn = false;
        }
    }

    private void GiveBack()
    {
        foreach (var frame in _frames)
        {
            if (frame >= 0)
            {
                rooms.Pool.Push(frame);
                rooms.AddStaged(-1);
            }
        }

        _frames.Clear();
    }
}
