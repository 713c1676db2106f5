using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;
using SharedPageCache.Memory;

namespace SharedPageCache.Faults;

/// <summary>
/// Leases: pinned pages that callers read in place. The pin is the only thing that keeps the bytes: a discard or an
/// overwrite meanwhile gives the block another frame, and the last unpin frees this one.
/// </summary>
internal sealed class PageLeases(Rooms rooms, PageFaults faults)
{
    /// <summary>
    /// Ranges that wait for frames do so one at a time: two that each hold a part and wait for the rest would wait for
    /// each other.
    /// </summary>
    public Permits RangeTurn { get; } = new(1);

    private readonly AlignedBuffer _zeroPage = new(rooms.PageSize);

    /// <summary>Leases the page if it is resident, without any wait.</summary>
    public bool TryTake(FileMapping file, PageTree tree, long page, out PageHold hold) =>
        TryTake(file, tree, page, isOwnLoad: false, out hold);

    private bool TryTake(FileMapping file, PageTree tree, long page, bool isOwnLoad, out PageHold hold)
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
            if (reference.IsResident && faults.TryPin(reference, out hold))
            {
                if (leaf[slot] == reference && TryCharge(hold))
                {
                    NoteUse(file, page, leaf, hold.Frame, isOwnLoad);
                    return true;
                }

                faults.Release(hold);
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
    /// <param name="cancellationToken">Cancels this caller's wait.</param>
    /// <returns>A hold; none if the limit is reached and the caller does not wait for leases to end.</returns>
    public async ValueTask<PageHold> TakeAsync(
        FileMapping file, long page, int wanted, bool waits, bool isOwnLoad, CancellationToken cancellationToken)
    {
        while (true)
        {
            file.ThrowIfClosed();
            if (TryTake(file, file.Tree, page, isOwnLoad, out var hold))
            {
                return hold;
            }

            EngineCode.ThrowIfInCallback("PinAsync");
            hold = await faults.FaultAsync(new PageFaults.Request(file, page, wanted, Blocking: false, NeedsFrame: true), cancellationToken)
                .ConfigureAwait(false);
            if (hold.Kind == PageHoldKind.Zero)
            {
                return hold;
            }

            if (hold.Kind == PageHoldKind.Pinned && TryCharge(hold))
            {
                if (!isOwnLoad && !hold.IsOwnLoad)
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

    public void Give(int frame)
    {
        faults.Release(new PageHold(PageHoldKind.Pinned, frame));
        rooms.LeaseTurns.Pulse();
    }

    /// <summary>The bytes of a leased page.</summary>
    public ReadOnlySpan<byte> Span(PageHold hold) =>
        hold.Kind == PageHoldKind.Zero ? _zeroPage.Memory.Span : rooms.Arena.Span(hold.Frame);

    /// <summary>The bytes of a leased page, for heap leases.</summary>
    public ReadOnlyMemory<byte> Memory(PageHold hold) =>
        hold.Kind == PageHoldKind.Zero ? _zeroPage.Memory : rooms.Arena.Memory(hold.Frame);

    public int Limit => rooms.Quota.Limit;

    /// <summary>A heap lease was collected without having been disposed.</summary>
    public void ReportLeak() => rooms.Counters.LeakedLeases.Increment();

    private bool TryCharge(PageHold hold) => rooms.Quota.TryCharge(hold.Frame);

    private void NoteUse(FileMapping file, long page, Leaf leaf, int frame, bool isOwnLoad)
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
            rooms.Reader.MarkUse(frame);
            rooms.Hits.Add(1);
        }
    }
}
