using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>
/// What changes a file's shape: length, holes, the end. Each is one step of the file's gate (alone) and the volume's
/// binding lock, with the engine's hook in it: if the hook throws nothing has changed.
/// </summary>
internal sealed class FileShapes(
    Rooms rooms, PageWrites writes, ProvisionalFrames provisional, Func<FileMapping, long, CancellationToken, Task> flushPage)
{
    /// <summary>Makes a file longer, if it is not by now.</summary>
    public async ValueTask GrowAsync(FileMapping file, long length, bool blocking, CancellationToken cancellationToken)
    {
        await EnterAsync(file, blocking, cancellationToken).ConfigureAwait(false);
        try
        {
            if (file.Tree.Length < length)
            {
                await GrowInTurnAsync(file, length, blocking, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            file.Writing.LengthTurn.Give();
        }
    }

    /// <summary>Gives a file another length.</summary>
    public async ValueTask SetLengthAsync(FileMapping file, long length, bool blocking, CancellationToken cancellationToken)
    {
        await EnterAsync(file, blocking, cancellationToken).ConfigureAwait(false);
        try
        {
            if (length > file.Tree.Length)
            {
                await GrowInTurnAsync(file, length, blocking, cancellationToken).ConfigureAwait(false);
            }
            else if (length < file.Tree.Length)
            {
                file.Writing.TailMayBeStale = true;
                Reshape(file, length);
            }
        }
        finally
        {
            file.Writing.LengthTurn.Give();
        }
    }

    /// <summary>
    /// Makes a range read zero, as far as the file goes: whole pages become holes, in the turn of the length, so that the last
    /// one is a hole only if the file ends in the range at that moment. The bytes at both ends are written afterwards, without the
    /// turn (who leases such a page for writing may want it), and never beyond the length of their moment.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="end">Behind the last byte; may be behind the file's end.</param>
    /// <param name="grows">Whether the file ends at least there afterwards.</param>
    /// <param name="blocking">Whether waits block the thread.</param>
    /// <param name="cancellationToken">Cancels waits.</param>
    public async ValueTask ZeroAsync(
        FileMapping file, long offset, long end, bool grows, bool blocking, CancellationToken cancellationToken)
    {
        var (head, tail) = (end, end);
        await EnterAsync(file, blocking, cancellationToken).ConfigureAwait(false);
        try
        {
            if (grows && end > file.Tree.Length)
            {
                await GrowInTurnAsync(file, end, blocking, cancellationToken).ConfigureAwait(false);
            }

            var fileEnd = file.Tree.Length;
            end = Math.Min(end, fileEnd);
            var first = offset + rooms.PageSize - 1 >> rooms.PageShift;
            var behind = (end == fileEnd ? end + rooms.PageSize - 1 : end) >> rooms.PageShift;
            if (first <= behind)
            {
                (head, tail) = (first << rooms.PageShift, behind << rooms.PageShift);
            }

            if (first < behind)
            {
                Punch(file, first, behind - 1);
            }
        }
        finally
        {
            file.Writing.LengthTurn.Give();
        }

        var pages = await writes.ZeroAsync(file, offset, Math.Min(head, end), blocking, cancellationToken).ConfigureAwait(false)
            + await writes.ZeroAsync(file, tail, end, blocking, cancellationToken).ConfigureAwait(false);
        await file.Volume.Writer!.PayAsync(pages, cancellationToken).ConfigureAwait(false);
    }

    private void Punch(FileMapping file, long firstPage, long lastPage)
    {
        var (offset, length) = (firstPage << rooms.PageShift, lastPage - firstPage + 1 << rooms.PageShift);
        Change(file, lost =>
        {
            file.ThrowIfSealed();
            file.RunHook(engine => engine.PunchHole(offset, length), nameof(IWritableExtentMap.PunchHole));
            file.Punch(firstPage, lastPage, lost);
        });
    }

    /// <summary>Deletes a file: its dirty pages go with it, unless a clone shows them.</summary>
    public void Delete(FileMapping file) => Change(file, lost =>
    {
        file.RunHook(static engine => engine.Delete(), nameof(IWritableExtentMap.Delete));
        file.Punch(0, long.MaxValue >> rooms.PageShift, lost);
        file.MarkDeleted();
    });

    private async ValueTask GrowInTurnAsync(FileMapping file, long length, bool blocking, CancellationToken cancellationToken)
    {
        await ZeroTailAsync(file, blocking, cancellationToken).ConfigureAwait(false);
        Reshape(file, length);
    }

    /// <summary>
    /// Before a file grows: what lies behind the end in its last page may be anything, and is going to be read. In the turn
    /// of the length.
    /// </summary>
    public async ValueTask ZeroTailAsync(FileMapping file, bool blocking, CancellationToken cancellationToken)
    {
        var old = file.Tree.Length;
        if ((old & (rooms.PageSize - 1)) != 0)
        {
            await writes.ZeroTailAsync(file, old - 1, blocking, cancellationToken).ConfigureAwait(false);
            if (file.Writing.TailMayBeStale)
            {
                // The zeros before the length: else a machine that stops in between has a longer file with old bytes in it.
                await flushPage(file, old - 1 >> rooms.PageShift, cancellationToken).ConfigureAwait(false);
                file.Writing.TailMayBeStale = false;
            }
        }
    }

    private void Reshape(FileMapping file, long length) => Change(file, lost =>
    {
        file.ThrowIfSealed();
        file.RunHook(engine => engine.SetLength(length), nameof(IWritableExtentMap.SetLength));
        file.Reshape(length, lost);
    });

    private void Change(FileMapping file, Action<List<PageReference>> change)
    {
        var lost = new List<PageReference>();
        file.EnterAlone();
        file.Volume.Binding.Enter();
        try
        {
            file.ThrowIfClosed();
            change(lost);
            var walk = provisional.NewWalk();
            foreach (var reference in lost)
            {
                provisional.Lost(file.Volume, reference, walk, file.Stamp);
            }
        }
        finally
        {
            file.Volume.Binding.Exit();
            file.LeaveAlone();
        }

        rooms.Writeback.Activity.Increment();
    }

    /// <summary>Takes the turn of a file's length, by blocking or by awaiting.</summary>
    public static async ValueTask EnterAsync(FileMapping file, bool blocking, CancellationToken cancellationToken)
    {
        var turn = file.Writing.LengthTurn;
        if (turn.TryTake())
        {
            return;
        }

        // Who has the turn may wait for write-back, or for a writer that does.
        EngineCode.ThrowIfInPort(file.Volume, 0, "A change of a file's length that has to wait for another one");
        EngineCode.ThrowIfInPort(file, FileWriting.LengthPlace, "A change of the very file's length");
        if (blocking)
        {
            turn.Take();
        }
        else
        {
            await turn.TakeAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
