using System.Diagnostics;
using SharedPageCache.Diagnostics;
using SharedPageCache.Mappings;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>
/// Write leases: a page of a file in a frame of the lessee's own, which takes the page's place when it is committed.
/// </summary>
/// <remarks>
/// <b>Waits.</b> A lease needs a place among the leases (half of the frames, together with read leases) and the page's
/// mark. Who lacks one of the two gives the other back before it waits: so no two wait for each other here, and a waiter
/// keeps nobody from anything. With both it waits for the device, and for a frame, as a writer does; write-back wants
/// neither marks nor leases, so it makes room. What is left are flows that hold one lease and wait for another, or
/// for themselves: these waits can be cancelled.
/// </remarks>
internal sealed class WriteLeases(Rooms rooms, PageFaults faults, ProvisionalFrames provisional, PageWrites writes)
{
    /// <summary>Leases a page for writing if that needs no wait.</summary>
    public PageWrite? TryTake(FileMapping file, long page, bool discardsContent)
    {
        if (!TryBegin(file, page, out _))
        {
            return null;
        }

        var (write, isStaged) = (default(PageWrite), false);
        try
        {
            write = Begin(file, page);
            isStaged = write.TryStage(discardsContent) == WriteNeed.Done;
            return isStaged ? write : null;
        }
        finally
        {
            GiveBackUnless(isStaged, file, page, write);
        }
    }

    /// <summary>Leases a page for writing.</summary>
    public async ValueTask<PageWrite> TakeAsync(FileMapping file, long page, bool discardsContent, CancellationToken cancellationToken)
    {
        while (!TryBegin(file, page, out var lacksMark))
        {
            file.ThrowIfUnwritable();
            PageWrites.ThrowIfWaitsForItself(file, page);
            await (lacksMark ? file.Writing.Marks.WaitAsync(cancellationToken) : rooms.LeaseTurns.WaitAsync(cancellationToken))
                .ConfigureAwait(false);
        }

        var (write, isStaged) = (default(PageWrite), false);
        try
        {
            write = Begin(file, page);
            WriteNeed need;
            while ((need = write.TryStage(discardsContent)) != WriteNeed.Done)
            {
                if (need == WriteNeed.Source
                    && await HoldAsync(file, page, cancellationToken).ConfigureAwait(false) is var hold
                    && (need = write.TryStage(hold)) == WriteNeed.Done)
                {
                    break;
                }

                await writes.WaitAsync(file, write, need, end: 0, blocking: false, cancellationToken).ConfigureAwait(false);
            }

            isStaged = true;
            return write;
        }
        finally
        {
            GiveBackUnless(isStaged, file, page, write);
        }
    }

    /// <summary>Shows what was leased in place of the page, blocking the thread if need be.</summary>
    /// <exception cref="InvalidOperationException">The page was cut, or the file is shorter than what was leased.</exception>
    public void Commit(FileMapping file, PageWrite write, Lsn lsn)
    {
        write.WaitsSince = null;
        while (NeedOf(file, write, lsn) is var need and not WriteNeed.Done)
        {
            PageWrites.Complete(writes.WaitAsync(file, write, need, end: 0, blocking: true, CancellationToken.None));
        }
    }

    /// <summary>Shows what was leased in place of the page.</summary>
    /// <exception cref="InvalidOperationException">The page was cut, or the file is shorter than what was leased.</exception>
    public async ValueTask CommitAsync(FileMapping file, PageWrite write, Lsn lsn, CancellationToken cancellationToken)
    {
        write.WaitsSince = null;
        while (NeedOf(file, write, lsn) is var need and not WriteNeed.Done)
        {
            await writes.WaitAsync(file, write, need, end: 0, blocking: false, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Slows who has committed a lease, if much is dirty. The lease has ended.</summary>
    public static ValueTask PayAsync(FileMapping file, PageWrite write, CancellationToken cancellationToken) =>
        file.Volume.Writer!.PayAsync(write.Shown, cancellationToken);

    /// <summary>A page has been leased for writing: its ticket in checked mode.</summary>
    public int Enter(FileMapping file, long offset, PageWrite write, StackTrace? origin) =>
        rooms.Checked is not { } checks
            ? HolderTable.Untracked
            : checks.Holders.Add(new LeaseHolder(LeaseKind.Write, file.Id, file.Name, offset, write.LeasedFrame, sum: null, origin!));

    /// <summary>The end of a lease, committed or not: the mark, the place among the leases, and the frame if it is still there.</summary>
    public void Give(PageWrite write, int ticket)
    {
        rooms.Checked?.Holders.End(ticket);
        write.Dispose();
        GiveReserved();
    }

    /// <summary>The end of a lease that was collected without having been disposed. On the finalizer.</summary>
    public void GiveLeaked(PageWrite write, int ticket)
    {
        rooms.Counters.LeakedLeases.Increment();
        if (rooms.Checked is { } checks && checks.Holders.End(ticket) is { } holder)
        {
            checks.Reports.Report(new CacheMisuse(
                CacheMisuseKind.Leaked, new FrameIndex(holder.Frame),
                $"A write lease was never disposed, and collected; it was not committed: {holder}", holder.TakenAt));
        }

        write.Dispose();
        GiveReserved();
    }

    /// <summary>The bytes that are leased.</summary>
    public Memory<byte> Memory(PageWrite write) => rooms.Arena.Memory(write.LeasedFrame)[..write.LeasedLength];

    private static WriteNeed NeedOf(FileMapping file, PageWrite write, Lsn lsn)
    {
        var need = write.TryCommit(lsn);
        return need switch
        {
            WriteNeed.Length => throw new InvalidOperationException(
                $"File {file.Name ?? file.Id.ToString()} has {file.Tree.Length} bytes by now, fewer than when its page {write.Page} was leased for writing: the page is not committed. The lease still holds its bytes."),
            WriteNeed.Source => throw new InvalidOperationException(
                $"Page {write.Page} of file {file.Name ?? file.Id.ToString()} was punched, cut off or replaced since it was leased for writing: it is not committed. The lease still holds its bytes."),
            _ => need,
        };
    }

    /// <summary>Takes a place among the leases and the mark, or neither.</summary>
    private bool TryBegin(FileMapping file, long page, out bool lacksMark)
    {
        lacksMark = false;
        if (!rooms.Quota.TryReserve())
        {
            return false;
        }

        if (file.Writing.Marks.TryMark(page))
        {
            return true;
        }

        GiveReserved();
        lacksMark = true;
        return false;
    }

    /// <summary>
    /// The write behind a lease. The length is looked at with the mark held: a longer file asks for the mark of its last page.
    /// And inside the gate: a cut that came too early to note this mark is over then, and what is copied afterwards is from after it.
    /// </summary>
    private PageWrite Begin(FileMapping file, long page)
    {
        file.EnterTogether();
        var (offset, fileLength) = (page << rooms.PageShift, file.Tree.Length);
        file.LeaveTogether();
        if (offset >= fileLength)
        {
            throw new ArgumentOutOfRangeException(
                nameof(page), page, $"The page is not inside the file, which has {fileLength} bytes.");
        }

        return PageWrite.OfLease(rooms, faults, provisional, file, offset, (int)Math.Min(rooms.PageSize, fileLength - offset));
    }

    private ValueTask<PageHold> HoldAsync(FileMapping file, long page, CancellationToken cancellationToken) =>
        faults.FaultAsync(new PageFaults.Request(file, page, 1, Blocking: false), cancellationToken);

    private void GiveBackUnless(bool isKept, FileMapping file, long page, PageWrite? write)
    {
        if (isKept)
        {
            return;
        }

        if (write is null)
        {
            file.Writing.Marks.Unmark(page);
        }

        write?.Dispose();
        GiveReserved();
    }

    private void GiveReserved()
    {
        rooms.Quota.GiveReserved();
        rooms.LeaseTurns.Pulse();
    }
}
