using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <content>The write-back, step by step.</content>
internal sealed partial class WritableReflinkFile
{
    /// <summary>Ranges of the file are going to be written: they get names, and everything queued before is done.</summary>
    /// <param name="ranges">The ranges with their names, ascending.</param>
    /// <exception cref="IOException">The file system failed, or the file was changed by somebody else; nothing was staged.</exception>
    public void Stage(IReadOnlyList<Extent> ranges)
    {
        lock (_io)
        {
            ThrowIfRefused();
            lock (_shape)
            {
                _cuts.Clear();
            }

            DoQueued();
            lock (_shape)
            {
                _isUntouchedClone = false;
                var table = Table;
                foreach (var range in ranges)
                {
                    ForgetShared(range.FileOffset, range.FileEnd);
                }

                Show(table.Replace(NamesOfBlocks(table, ranges), table.Length, Volume.BlockSize));
            }

            // After this no load of the old blocks is under way that could see what is going to be written.
            Volume.LetGoOfUnshown(this);
        }

        _placement.NoteUnsettled(this);
        Tell(0);
    }

    /// <summary>
    /// Writes a part of a staged range, up to the end of the file.
    /// </summary>
    /// <exception cref="IOException">The file system failed, or the file was changed by somebody else.</exception>
    public async ValueTask WriteAsync(long offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        if (!TryBeginOwnChange())
        {
            return;
        }

        try
        {
            // Of the disk, not of the table: a cut that came since waits in the queue, and a growth too.
            var length = Math.Min(buffers.Sum(static buffer => (long)buffer.Length), Snapshot.Stamp.Size - offset);
            if (length > 0)
            {
                Volatile.Write(ref _owesSync, 1);
                await new DirectWriter(Handle, () => Buffered, MemoryAlignment, Volume.BlockSize)
                    .WriteAsync(buffers, offset, length).ConfigureAwait(false);
            }
        }
        catch (ObjectDisposedException) when (IsDeleted)
        {
            // Nobody will ever read it.
        }
        finally
        {
            EndOwnChange();
        }
    }

    /// <summary>Makes durable what was written, and leaves nothing of it in the kernel's cache.</summary>
    /// <exception cref="IOException">The file system failed; what was written since the last time may not be durable.</exception>
    public void Sync()
    {
        if (Interlocked.Exchange(ref _owesSync, 0) == 0 || !TryBeginOwnChange())
        {
            return;
        }

        var isNamed = !_isNameless;
        try
        {
            RandomAccess.FlushToDisk(Handle);
            DirectFile.DropKernelCopy(Handle);
            if (isNamed)
            {
                NoteDurable();
            }
        }
        catch (ObjectDisposedException) when (IsDeleted)
        {
            // Nobody will ever read it.
        }
        catch
        {
            Volatile.Write(ref _owesSync, 1);
            throw;
        }
        finally
        {
            EndOwnChange();
        }
    }

    /// <summary>Staged ranges are published: the cache tells the file's sequence, and the table shows their names, also where it waited for this.</summary>
    public void NotePublished(IReadOnlyList<Extent> ranges)
    {
        lock (_shape)
        {
            var table = Table;
            List<Extent> late = [.. ranges.Where(range => !table.Shows(range.FileOffset, new BlockRun(range.PhysicalOffset, range.Length)))
                .OrderBy(static range => range.FileOffset)];
            if (late.Count > 0)
            {
                Show(table.Replace(late, table.Length, Volume.BlockSize));
            }
            else
            {
                Advance();
            }
        }
    }

    /// <summary>
    /// The parts of ranges that get their names before they are written: what shows blocks. What is lent, and what reads zero, gets
    /// its name when it is published: see the type's remarks.
    /// </summary>
    private static List<Extent> NamesOfBlocks(ExtentTable table, IReadOnlyList<Extent> ranges)
    {
        var parts = new List<Extent>(ranges.Count);
        foreach (var range in ranges)
        {
            foreach (var part in table.Within(range.FileOffset, range.FileEnd))
            {
                if (!part.ReadsZero && !ExtentTable.IsLent(part))
                {
                    parts.Add(range with
                    {
                        FileOffset = part.FileOffset, Length = part.Length, PhysicalOffset = range.PhysicalOffset + (part.FileOffset - range.FileOffset),
                    });
                }
            }
        }

        return parts;
    }

    /// <summary>A staged range was given back. See the type's remarks.</summary>
    public void NoteAbandoned(long offset, long length)
    {
        lock (_shape)
        {
            _isUntouchedClone = false;

            // What is queued still comes after the write. What was done before it is done again, in the same order.
            var again = _cuts.FindAll(change => change.TakesFrom(offset, length, Volume.Cached.PageSize))
                .ConvertAll(change => change.Kind == ShapeChangeKind.Share ? change.Within(offset, offset + length) : ShapeChange.Punch(offset, length));
            _queue.InsertRange(0, again);
        }
    }

    /// <summary>
    /// Does what is queued, makes the file durable, asks for its extents, and lets cached pages follow to their places.
    /// </summary>
    /// <exception cref="IOException">The file system failed, or the file was changed by somebody else.</exception>
    public void Settle()
    {
        bool hasMoved;
        lock (_io)
        {
            if (IsDeleted)
            {
                DoQueued();
            }

            // Of a changed file what was written is on the disk; where, nobody will ask any more.
            if (IsDeleted || IsClosed || (IsChanged && !HasQueued))
            {
                ReleaseDone();
                return;
            }

            ThrowIfRefused();
            if (IsUntouchedClone)
            {
                // It lies where its origin does, and nothing of it has a name in place of a place. It is made durable when it gets its name.
                return;
            }

            DoQueued();
            Sync();
            hasMoved = Renew(keepsStaged: false);
        }

        ReleaseDone();
        Tell(hasMoved ? long.MaxValue : 0);
    }

    /// <summary>Asks for the extents again; what has no place yet keeps its name. For a file whose blocks were moved, while it is asked by the cache.</summary>
    public void Refresh()
    {
        lock (_io)
        {
            Renew(keepsStaged: true);
        }
    }

    /// <summary>The same, for whoever may call the cache: what it knows of the file follows.</summary>
    public void Revalidate()
    {
        bool hasMoved;
        lock (_io)
        {
            hasMoved = Renew(keepsStaged: true);
        }

        Tell(hasMoved ? long.MaxValue : 0);
    }

    /// <summary>
    /// Exchanges the extents for an answer of the file system. Under the volume's lock, which counts the file for the blocks
    /// of the answer first.
    /// </summary>
    /// <param name="answer">The answer.</param>
    /// <param name="keepsStaged">Whether names stay.</param>
    /// <param name="relocate">Lets cached pages follow.</param>
    /// <returns>The names that were given up, and whether anything else lies elsewhere than before.</returns>
    public (List<Extent> GivenUp, bool HasMoved) Exchange(
        ExtentTable answer, bool keepsStaged, Action<PlacedRun, PlacedRun> relocate)
    {
        lock (_shape)
        {
            var table = Table;
            bool Keeps(Extent run) => keepsStaged || IsOwed(run);
            var fresh = table.Renewed(answer, Keeps, Volume.BlockSize);
            var staged = table.Staged();
            staged.RemoveAll(Keeps);
            var found = new List<Extent>();
            var hasMoved = false;
            foreach (var run in staged)
            {
                foreach (var part in fresh.Within(run.FileOffset, run.FileEnd))
                {
                    found.Add(part);
                    hasMoved |= !Follow(run, part, relocate);
                }
            }

            if (!keepsStaged)
            {
                _shared.Clear();
            }

            hasMoved |= !table.Replace(found, table.Length, Volume.BlockSize).SameAs(fresh);
            NoteFound();
            Show(fresh);
            return (staged, hasMoved);
        }
    }

    /// <summary>Lets the pages that are cached under a name follow to a place.</summary>
    /// <param name="run">The name.</param>
    /// <param name="part">A part of its range, and where it has come to lie.</param>
    /// <param name="relocate">Lets cached pages follow.</param>
    /// <returns>Whether they are; if not the place is asked for anew.</returns>
    private bool Follow(Extent run, Extent part, Action<PlacedRun, PlacedRun> relocate)
    {
        if (part.ReadsZero || part.IsOpaque)
        {
            return false;
        }

        // Blocks that were shared are cached already, of the file that they were taken from: nothing comes to them.
        var own = new List<(long Start, long End)> { (part.FileOffset, part.FileEnd) };
        foreach (var shared in _shared)
        {
            own = Subtract(own, shared.Start, shared.End);
        }

        foreach (var (start, end) in own)
        {
            relocate(
                new PlacedRun(new BlockRun(run.PhysicalOffset + (start - run.FileOffset), end - start), run.Generation),
                new PlacedRun(new BlockRun(part.PhysicalOffset + (start - part.FileOffset), end - start), part.Generation));
        }

        return own is [var only] && only == (part.FileOffset, part.FileEnd);
    }

    private void ForgetShared(long start, long end) => _shared = Subtract(_shared, start, end);

    private static List<(long Start, long End)> Subtract(List<(long Start, long End)> ranges, long start, long end)
    {
        var left = new List<(long Start, long End)>(ranges.Count + 1);
        foreach (var range in ranges)
        {
            if (range.Start < Math.Min(range.End, start))
            {
                left.Add((range.Start, Math.Min(range.End, start)));
            }

            if (Math.Max(range.Start, end) < range.End)
            {
                left.Add((Math.Max(range.Start, end), range.End));
            }
        }

        return left;
    }

    /// <summary>What the table would be for an answer of the file system, if nothing came between.</summary>
    public ExtentTable Renewed(ExtentTable answer, bool keepsStaged)
    {
        lock (_shape)
        {
            return Table.Renewed(answer, run => keepsStaged || IsOwed(run), Volume.BlockSize);
        }
    }

    private bool HasQueued
    {
        get
        {
            lock (_shape)
            {
                return _queue.Count > 0;
            }
        }
    }

    /// <summary>The change that began with a move of the sequence is over.</summary>
    private void Tell(long length)
    {
        try
        {
            Keeper?.InvalidateExtents(0, length);
        }
        catch (ObjectDisposedException)
        {
            // Closed, deleted or detached: nobody asks any more.
        }
    }

    private bool Renew(bool keepsStaged)
    {
        ThrowIfRefused();
        CheckStamp();
        var counts = !FileSystemStatus.IsOnRealtimeDevice(Handle);
        var raw = QueryExtents(0, long.MaxValue, sync: true);
        CheckStamp();
        return Volume.Renew(this, ExtentTable.From(raw, Snapshot.Stamp.Size, Volume.BlockSize, counts), keepsStaged);
    }

    /// <summary>Does to the file what was done to the table, in the same order. Under the lock of the file's I/O.</summary>
    private void DoQueued()
    {
        List<ShapeChange> changes;
        lock (_shape)
        {
            changes = [.. _queue];
            _queue.Clear();
        }

        if (changes.Count == 0)
        {
            return;
        }

        var done = 0;
        try
        {
            // Before the file system can give the blocks to somebody else.
            Volume.LetGoOfUnshown(this);
            for (; done < changes.Count; done++)
            {
                Do(changes[done]);
            }
        }
        finally
        {
            lock (_shape)
            {
                _cuts.AddRange(changes.Take(done));
                _queue.InsertRange(0, changes.Skip(done));
            }
        }
    }

    private void Do(ShapeChange change)
    {
        if (change.Kind == ShapeChangeKind.Delete)
        {
            Unlink();
            return;
        }

        if (!TryBeginOwnChange())
        {
            return;
        }

        try
        {
            Volatile.Write(ref _owesSync, 1);
            if (change.Kind == ShapeChangeKind.Share)
            {
                Share(change);
            }
            else if (change.Kind == ShapeChangeKind.Punch)
            {
                WritableFile.PunchHole(Handle, Path, change.Offset, change.Length);
            }
            else
            {
                RandomAccess.SetLength(Handle, change.Offset);
            }
        }
        finally
        {
            EndOwnChange();
        }
    }

    /// <summary>The file is going to be changed by this process.</summary>
    /// <returns>Whether there is anything to change: nobody will ever read a file that is deleted and closed.</returns>
    /// <exception cref="ReflinkFileChangedException">Somebody else has changed the file.</exception>
    private bool TryBeginOwnChange()
    {
        lock (_own)
        {
            if (IsDeleted)
            {
                return false;
            }

            if (_writesUnderWay == 0)
            {
                ThrowIfRefused();
                CheckStamp();
                EnterOwnChange();
            }

            _writesUnderWay++;
            return true;
        }
    }

    private void EndOwnChange()
    {
        lock (_own)
        {
            if (--_writesUnderWay == 0)
            {
                LeaveOwnChange();
            }
        }
    }
}
