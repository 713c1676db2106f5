using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>Writes of byte ranges, blocking or awaiting: a series of atomic pieces, each driven until it is done.</summary>
internal sealed class PageWrites(Rooms rooms, PageFaults faults, ProvisionalFrames provisional, int mostAtomicPages)
{
    /// <summary>
    /// Taken by whatever waits for frames while it has some: only one at a time does. Nobody has it who waits for one volume's
    /// device or engine, for it is one for all volumes.
    /// </summary>
    public Permits FrameTurn { get; } = new(1);

    /// <summary>The most bytes that a clone sees whole or not at all, for a write that begins at a page.</summary>
    public long MostAtomicBytes => (long)mostAtomicPages << rooms.PageShift;

    /// <summary>Makes a file longer; it reads zero from its old length on.</summary>
    public Func<FileMapping, long, bool, CancellationToken, ValueTask> Grow { get; set; } =
        static (_, _, _, _) => throw new InvalidOperationException("Not wired.");

    /// <summary>Writes on the calling thread.</summary>
    public void Write(FileMapping file, long offset, ReadOnlySpan<byte> bytes, Lsn lsn)
    {
        while (bytes.Length > 0)
        {
            var count = PieceOf(offset, bytes.Length);
            var piece = bytes[..count];
            if (offset + bytes.Length > file.Tree.Length)
            {
                Complete(Grow(file, offset + bytes.Length, true, CancellationToken.None));
            }

            if (!IsInOnePage(offset, count) || !WriteInPlace.TryWrite(rooms, file, offset, piece, lsn))
            {
                Complete(file.Volume.Writer!.PayAsync(WritePiece(file, offset, piece, lsn), CancellationToken.None));
            }

            offset += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Writes without blocking the thread.</summary>
    public async ValueTask WriteAsync(
        FileMapping file, long offset, ReadOnlyMemory<byte> bytes, Lsn lsn, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            var count = PieceOf(offset, bytes.Length);
            if (offset + bytes.Length > file.Tree.Length)
            {
                await Grow(file, offset + bytes.Length, false, cancellationToken).ConfigureAwait(false);
            }

            if (!IsInOnePage(offset, count) || !WriteInPlace.TryWrite(rooms, file, offset, bytes.Span[..count], lsn))
            {
                var pages = await WritePieceAsync(file, offset, bytes[..count], lsn, cancellationToken).ConfigureAwait(false);
                await file.Volume.Writer!.PayAsync(pages, cancellationToken).ConfigureAwait(false);
            }

            offset += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>
    /// Gives the file a page of its own at an offset, with zeros behind the file's end: the file is going to be longer.
    /// </summary>
    public async ValueTask ZeroTailAsync(FileMapping file, long offset, bool blocking, CancellationToken cancellationToken)
    {
        using var write = new PageWrite(rooms, faults, provisional, file, offset, 0, Lsn.None) { ForcesCopy = true, IsInLengthTurn = true };
        await DriveAsync(file, write, default, growTo: offset + 1, blocking, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Zeros bytes of one page as far as the file goes: it never gets longer by it, whoever cuts it meanwhile.</summary>
    /// <returns>How many pages have become dirty.</returns>
    public async ValueTask<int> ZeroAsync(FileMapping file, long offset, long end, bool blocking, CancellationToken cancellationToken)
    {
        while (Math.Min(end, file.Tree.Length) - offset is > 0 and var count)
        {
            var zeros = new byte[count];
            if (WriteInPlace.TryWrite(rooms, file, offset, zeros, Lsn.None))
            {
                return 0;
            }

            using var write = new PageWrite(rooms, faults, provisional, file, offset, zeros.Length, Lsn.None);
            if (await DriveAsync(file, write, zeros, growTo: null, blocking, cancellationToken).ConfigureAwait(false))
            {
                return write.Shown;
            }
        }

        return 0;
    }

    /// <returns>How many pages have become dirty. Nothing is held any more: the writer may be slowed.</returns>
    private int WritePiece(FileMapping file, long offset, ReadOnlySpan<byte> bytes, Lsn lsn)
    {
        using var write = new PageWrite(rooms, faults, provisional, file, offset, bytes.Length, lsn);
        WriteNeed need;
        while ((need = write.TryGoOn(bytes)) != WriteNeed.Done)
        {
            if (need == WriteNeed.Source)
            {
                var moment = SourceMoment.Of(file);
                var hold = faults.Fault(new PageFaults.Request(file, write.Page, 1, Blocking: true));
                write.Supply(hold, moment, bytes);
                continue;
            }

            Complete(WaitAsync(file, write, need, offset + bytes.Length, blocking: true, CancellationToken.None));
        }

        return write.Shown;
    }

    /// <inheritdoc cref="WritePiece"/>
    private async ValueTask<int> WritePieceAsync(
        FileMapping file, long offset, ReadOnlyMemory<byte> bytes, Lsn lsn, CancellationToken cancellationToken)
    {
        using var write = new PageWrite(rooms, faults, provisional, file, offset, bytes.Length, lsn);
        await DriveAsync(file, write, bytes, growTo: offset + bytes.Length, blocking: false, cancellationToken).ConfigureAwait(false);
        return write.Shown;
    }

    /// <summary>Drives a write until it is done.</summary>
    /// <param name="file">The file.</param>
    /// <param name="write">The write.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="growTo">What the file's length must be at least; null: the write ends if the file has become too short.</param>
    /// <param name="blocking">Whether waits block the thread.</param>
    /// <param name="cancellationToken">Cancels waits.</param>
    /// <returns>Whether it is done, and not ended by the file's length.</returns>
    private async ValueTask<bool> DriveAsync(
        FileMapping file, PageWrite write, ReadOnlyMemory<byte> bytes, long? growTo, bool blocking, CancellationToken cancellationToken)
    {
        WriteNeed need;
        while ((need = write.TryGoOn(bytes.Span)) != WriteNeed.Done)
        {
            switch (need)
            {
                case WriteNeed.Length when growTo is null:
                    return false;
                case WriteNeed.Source:
                    var moment = SourceMoment.Of(file);
                    var hold = await HoldAsync(file, write.Page, blocking, cancellationToken).ConfigureAwait(false);
                    write.Supply(hold, moment, bytes.Span);
                    break;
                default:
                    await WaitAsync(file, write, need, growTo ?? 0, blocking, cancellationToken).ConfigureAwait(false);
                    break;
            }
        }

        return true;
    }

    private ValueTask<PageHold> HoldAsync(FileMapping file, long page, bool blocking, CancellationToken cancellationToken) =>
        faults.FaultAsync(new PageFaults.Request(file, page, 1, blocking), cancellationToken);

    /// <summary>Waits for what a write needs, holding its marks (but not when the file must be longer).</summary>
    public async ValueTask WaitAsync(
        FileMapping file, PageWrite write, WriteNeed need, long end, bool blocking, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        file.ThrowIfUnwritable();
        switch (need)
        {
            case WriteNeed.Mark:
                ThrowIfWaitsForItself(file, write.Page);
                await file.Writing.Marks.WaitAsync(cancellationToken).ConfigureAwait(false);
                break;
            case WriteNeed.Leaf:
                await faults.FindLeafAsync(file, write.Page, blocking, cancellationToken).ConfigureAwait(false);
                break;
            case WriteNeed.Frame when write.NeedsTurn:
                write.WaitsSince ??= file.Volume.Writer!.Begin();
                await write.TakeTurnAsync(FrameTurn, cancellationToken).ConfigureAwait(false);
                break;
            case WriteNeed.Room:
                write.GiveWay();
                goto case WriteNeed.Frame;
            case WriteNeed.Frame:
                write.WaitsSince ??= file.Volume.Writer!.Begin();
                await file.Volume.Writer!.WaitAsync(file, write.WaitsSince.Value, cancellationToken).ConfigureAwait(false);
                break;
            case WriteNeed.Length:
                write.LetGo();
                await Grow(file, end, blocking, cancellationToken).ConfigureAwait(false);
                break;
            case WriteNeed.Unshare:
                if (write.HasTurn)
                {
                    // What the engine writes before it answers may want it.
                    write.GiveWay();
                }

                var sharing = file.Sharing;
                await BeforeUnshareAsync(file, write.Page, write.Keeps, cancellationToken).ConfigureAwait(false);
                write.UnshareTold(sharing);
                break;
        }
    }

    /// <summary>Tells the engine that a shared page is going to be copied. The caller holds the page's mark.</summary>
    /// <param name="file">The file.</param>
    /// <param name="page">The page.</param>
    /// <param name="keeps">Which places of which file the caller keeps meanwhile: who wants one of them, from inside the engine, would wait for itself.</param>
    /// <param name="cancellationToken">The writer's token.</param>
    public ValueTask BeforeUnshareAsync(FileMapping file, long page, Func<object, long, bool> keeps, CancellationToken cancellationToken) =>
        EngineCode.CallAsync(
            keeps, $"{nameof(IWritableExtentMap)}.{nameof(IWritableExtentMap.BeforeUnshareAsync)}",
            () => ((IWritableExtentMap)file.Extents).BeforeUnshareAsync(page << rooms.PageShift, rooms.PageSize, cancellationToken));

    /// <summary>Before a wait for a page's mark: who has it may wait for write-back, or for the engine's consent.</summary>
    public static void ThrowIfWaitsForItself(FileMapping file, long page)
    {
        EngineCode.ThrowIfInPort(file.Volume, 0, "A write that has to wait for another writer of the page");
        EngineCode.ThrowIfInPort(file, page, "A write of a page that is just being written");
    }

    /// <summary>Waits for a task by blocking.</summary>
    public static void Complete(ValueTask task)
    {
        if (task.IsCompleted)
        {
            task.GetAwaiter().GetResult();
        }
        else
        {
            task.AsTask().GetAwaiter().GetResult();
        }
    }

    private int PieceOf(long offset, int length)
    {
        var end = ((offset >> rooms.PageShift) + mostAtomicPages) << rooms.PageShift;
        return (int)Math.Min(length, end - offset);
    }

    private bool IsInOnePage(long offset, int count) => offset >> rooms.PageShift == offset + count - 1 >> rooms.PageShift;
}
