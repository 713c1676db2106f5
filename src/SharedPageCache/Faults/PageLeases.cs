using System.Diagnostics;
using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Diagnostics;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Memory;

namespace SharedPageCache.Faults;

/// <summary>
/// Leases: pinned pages that callers read in place. The pin is the only thing that keeps the bytes: a discard or an
/// overwrite meanwhile gives the block another frame, and the last unpin frees this one.
/// </summary>
/// <remarks>
/// In checked mode each lease has a ticket (<see cref="HolderTable"/>), and the checksum of its page. The page is pinned when that is
/// taken, and its pin is older than any write in place that could follow: who writes in place looks at the pins after it has set X,
/// and a page with X cannot be pinned. So the bytes stand still until the lease ends, when they are compared, still pinned.
/// </remarks>
internal sealed class PageLeases(Rooms rooms, PageFaults faults)
{
    /// <summary>
    /// Ranges that wait for frames do so one at a time: two that each hold a part and wait for the rest would wait for
    /// each other.
    /// </summary>
    public Permits RangeTurn { get; } = new(1);

    private readonly CheckedMode? _checked = rooms.Checked;
    private readonly AlignedBuffer _zeroPage = new(rooms.PageSize);
    private readonly PageReader _reader = rooms.Reader;
    private readonly FrameTable _frames = rooms.Frames;
    private readonly NativeArray<FrameHeader> _headers = rooms.Frames.Headers;
    private readonly Turnstile _turns = rooms.LeaseTurns;
    private readonly Arena _arena = rooms.Arena;
    private readonly int _pageShift = rooms.PageShift;

    /// <summary>The frames that are charged to leases; null in checked mode, where every lease has a ticket.</summary>
    private readonly FrameBits? _charged = rooms.Checked is null ? rooms.LeasedFrames : null;

    /// <summary>
    /// Leases a page of a file of one level that is leased and used all the time, so that nothing changes but its pins and the count of hits.
    /// The steps and their order are those of <see cref="TryTake(FileMapping, PageTree, long, out PageHold)"/>: pin (a full fence), state, slot,
    /// charge. Whatever is not usual is left to it.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="tree">Its version.</param>
    /// <param name="offset">A byte of the page; a negative one is in no page of the file.</param>
    /// <param name="frame">The frame that was pinned, also if the page was not leased: then the caller gives the pin back. -1 if there is none.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTakeHot(FileMapping file, PageTree tree, long offset, out int frame)
    {
        frame = -1;
        var charged = _charged;
        var leaves = tree.Leaves;
        var page = offset >> _pageShift;
        if (charged is null || leaves is null || (ulong)Window.Of(page) >= (ulong)leaves.Length)
        {
            return false;
        }

        var leaf = Atomic.LoadAcquire(ref leaves[(int)Window.Of(page)]);
        if (leaf is null)
        {
            return false;
        }

        var reference = leaf[Window.SlotOf(page)];
        if (!reference.IsResident)
        {
            return false;
        }

        frame = reference.Frame;
        ref var header = ref _headers[frame];
        Atomic.Increment(ref header.Pins);
        var state = header.State.Load();
        return state.Admits(reference.Word) && state.IsReadable && leaf[Window.SlotOf(page)] == reference && charged.IsSet(frame)
            && _reader.IsUsual(file, offset, header.Use);
    }

    /// <summary>The bytes of a leased page from an offset on, as far as the file goes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Span(int frame, long offset, long fileLength)
    {
        var pageSize = 1 << _pageShift;
        var inPage = (int)offset & (pageSize - 1);
        return _arena.Span(frame).Slice(inPage, (int)Math.Min(pageSize - inPage, fileLength - offset));
    }

    /// <summary>Gives a pin back that did not become a lease.</summary>
    public void GiveUp(int frame)
    {
        if (frame >= 0)
        {
            faults.Unpin(frame);
        }
    }

    /// <summary>Leases the page if it is resident, without any wait.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(FileMapping file, PageTree tree, long page, out PageHold hold) =>
        TryTake(file, tree, page, isOwnLoad: false, LoadManner.Plain, out hold);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryTake(FileMapping file, PageTree tree, long page, bool isOwnLoad, LoadManner manner, out PageHold hold)
    {
        var slot = Window.SlotOf(page);
        if (tree.FindLeaf(Window.Of(page)) is { } leaf)
        {
            var reference = leaf[slot];
            if (reference.Kind == ReferenceKind.Hole)
            {
                hold = PageHold.Zero;
                return true;
            }

            // The slot is read again after the pin: a file that has left the page by then is not given it.
            if (reference.IsResident)
            {
                rooms.Arena.PrefetchHead(reference.Frame);
                if (faults.TryPin(reference, out hold))
                {
                    if (leaf[slot] == reference && TryCharge(hold))
                    {
                        NoteUse(file, page, leaf, hold.Frame, isOwnLoad, manner);
                        return true;
                    }

                    faults.Release(hold);
                }
            }
        }

        hold = default;
        return false;
    }

    /// <summary>Leases the page, loading it if need be; waits while leases hold all that they may or no frame is free.</summary>
    /// <param name="file">The file.</param>
    /// <param name="page">The page.</param>
    /// <param name="wanted">How many pages from there on the caller is going to lease.</param>
    /// <param name="waits">Whether to wait for leases of others to end.</param>
    /// <param name="isOwnLoad">Whether the caller has loaded the page on its way to here: then it is no hit.</param>
    /// <param name="manner">What the caller has said about the pages.</param>
    /// <param name="cancellationToken">Cancels this caller's wait.</param>
    /// <returns>A hold; none if the limit is reached and the caller does not wait for leases to end.</returns>
    public async ValueTask<PageHold> TakeAsync(
        FileMapping file, long page, int wanted, bool waits, bool isOwnLoad, LoadManner manner, CancellationToken cancellationToken)
    {
        while (true)
        {
            file.ThrowIfClosed();
            if (TryTake(file, file.Tree, page, isOwnLoad, manner, out var hold))
            {
                return hold;
            }

            EngineCode.ThrowIfInCallback("PinAsync");
            var request = new PageFaults.Request(file, page, wanted, Blocking: false, NeedsFrame: true, manner);
            hold = await faults.FaultAsync(request, cancellationToken).ConfigureAwait(false);
            if (hold.Kind == PageHoldKind.Zero)
            {
                return hold;
            }

            if (hold.Kind == PageHoldKind.Pinned && TryCharge(hold))
            {
                if (!isOwnLoad && !hold.IsOwnLoad && (manner & LoadManner.Cold) == 0)
                {
                    rooms.Reader.MarkUse(hold.Frame);
                }

                return hold;
            }

            faults.Release(hold);
            if (!waits)
            {
                return PageHold.None;
            }

            await rooms.LeaseTurns.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The stack of who asks for a lease, in checked mode.</summary>
    public StackTrace? Origin() => _checked is null ? null : new StackTrace(skipFrames: 1, fNeedFileInfo: true);

    /// <summary>A page has been leased: the ticket with which it is given back.</summary>
    /// <param name="kind">How.</param>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where the lease begins.</param>
    /// <param name="hold">The page.</param>
    /// <param name="origin">Who asked for it.</param>
    public int Enter(LeaseKind kind, FileMapping file, long offset, PageHold hold, StackTrace? origin) =>
        _checked is null
            ? HolderTable.Untracked
            : _checked.Holders.Add(new LeaseHolder(kind, file.Id, file.Name, offset, FrameOf(hold), PageSum.Of(Span(hold)), origin ?? Origin()!));

    /// <summary>Gives a leased page back.</summary>
    /// <param name="frame">The frame; negative for a page that reads zero.</param>
    /// <param name="ticket">What <see cref="Enter"/> gave.</param>
    /// <exception cref="InvalidOperationException">Checked mode finds that the lease has ended before.</exception>
    /// <exception cref="CacheCorruptionException">Checked mode finds that the leased page has changed. It is given back.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Give(int frame, int ticket)
    {
        if (ticket == HolderTable.Untracked)
        {
            GivePin(frame);
        }
        else
        {
            GiveTracked(frame, ticket);
        }
    }

    private void GiveTracked(int frame, int ticket)
    {
        var fault = EndTracked(frame, ticket);
        GivePin(frame);
        if (fault is not null)
        {
            throw new CacheCorruptionException([fault]);
        }
    }

    /// <summary>A heap lease was collected without having been disposed: gives its page back, and tells. On the finalizer.</summary>
    public void GiveLeaked(int frame, int ticket)
    {
        rooms.Counters.LeakedLeases.Increment();
        if (ticket != HolderTable.Untracked)
        {
            EndTracked(frame, ticket, isLeak: true);
        }

        GivePin(frame);
    }

    /// <exception cref="ObjectDisposedException">Checked mode finds that a lease, of which this is a copy, has ended.</exception>
    public void ThrowIfEnded(int frame, int ticket)
    {
        if (ticket != HolderTable.Untracked && !_checked!.Holders.IsLive(ticket, out var ended))
        {
            var message = $"A copy of a lease was read after the lease had ended: {InWords(ended)}";
            _checked.Reports.Report(new CacheMisuse(CacheMisuseKind.UsedAfterRelease, new FrameIndex(frame), message, ended?.TakenAt));
            throw new ObjectDisposedException(null, message);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void GivePin(int frame)
    {
        if (frame >= 0)
        {
            if (_frames.Unpin(frame))
            {
                rooms.Pool.Return(frame);
            }

            _turns.Pulse();
        }
    }

    /// <summary>Ends a ticket, and compares the page with what it was.</summary>
    /// <returns>What is wrong with the page.</returns>
    private string? EndTracked(int frame, int ticket, bool isLeak = false)
    {
        var checks = _checked!;
        if (checks.Holders.End(ticket) is not { } holder)
        {
            checks.Holders.IsLive(ticket, out var ended);
            var others = checks.Holders.All().Where(other => other.Frame == frame && frame >= 0).Select(static other => other.ToString()).ToList();
            var message = $"A lease was given back twice: {InWords(ended)}. "
                + (others.Count == 0 ? "Nobody else leases its frame now." : $"Its frame is leased by others, whose pin it would have taken: {string.Join("; ", others)}");
            checks.Reports.Report(new CacheMisuse(CacheMisuseKind.ReleasedTwice, new FrameIndex(frame), message, ended?.TakenAt));
            throw new InvalidOperationException(message);
        }

        if (isLeak)
        {
            checks.Reports.Report(new CacheMisuse(
                CacheMisuseKind.Leaked, new FrameIndex(frame), $"A lease was never disposed, and collected: {holder}", holder.TakenAt));
        }

        var now = PageSum.Of(frame < 0 ? _zeroPage.Memory.Span : rooms.Arena.Span(frame));
        if (holder.Sum is not { } sum || sum == now)
        {
            return null;
        }

        var fault = $"{(frame < 0 ? "the page of zeros" : $"frame {frame}")} has changed while it was leased: its checksum was {sum:x8} and is {now:x8}; {holder}";
        checks.Reports.Report(new CacheMisuse(CacheMisuseKind.FrozenPageChanged, new FrameIndex(frame), fault, holder.TakenAt));
        return fault;
    }

    private static int FrameOf(PageHold hold) => hold.Kind == PageHoldKind.Zero ? -1 : hold.Frame;

    private static string InWords(LeaseHolder? holder) => holder?.ToString() ?? "one that ended long ago";

    /// <summary>The bytes of a leased page.</summary>
    public ReadOnlySpan<byte> Span(PageHold hold) =>
        hold.Kind == PageHoldKind.Zero ? _zeroPage.Memory.Span : rooms.Arena.Span(hold.Frame);

    /// <summary>The bytes of a leased page, for heap leases.</summary>
    public ReadOnlyMemory<byte> Memory(PageHold hold) =>
        hold.Kind == PageHoldKind.Zero ? _zeroPage.Memory : rooms.Arena.Memory(hold.Frame);

    public int Limit => rooms.Quota.Limit;

    private bool TryCharge(PageHold hold) => rooms.Quota.TryCharge(hold.Frame);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void NoteUse(FileMapping file, long page, Leaf leaf, int frame, bool isOwnLoad, LoadManner manner)
    {
        if (file.Touches is not { } touches || !touches.IsSet(page))
        {
            rooms.Reader.TouchFirst(file, page, leaf);
        }

        if (isOwnLoad)
        {
            rooms.Counters.Misses.Increment();
        }
        else
        {
            if ((manner & LoadManner.Cold) == 0)
            {
                rooms.Reader.MarkUse(frame);
            }

            rooms.Hits.Add(1);
        }
    }
}
