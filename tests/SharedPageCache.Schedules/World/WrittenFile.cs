using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>
/// An open file that is written to. Every write is of a content that was nowhere before, and halves of pages are told apart: so it is
/// known of every half that is read, or would be there after a crash, which writes it may stem from.
/// </summary>
internal sealed partial class WrittenFile
{
    public const int Half = Sector.Size / 2;

    private const int WordsPerHalf = Half / 8;

    private readonly WriteUniverse _universe;
    private readonly History[] _halves;

    public WrittenFile(WriteUniverse universe, MappedFile file, History[] halves)
    {
        _universe = universe;
        _halves = halves;
        File = file;
        Stored = (StoredFile)file.Extents;
    }

    public MappedFile File { get; }

    public StoredFile Stored { get; }

    /// <summary>How many pages have a history: none of the file's is ever behind.</summary>
    private int MostPages => _halves.Length / 2;

    public void Write(int page) => WriteBytes(page * Sector.Size, Sector.Size);

    public void WriteHalf(int page, int half) => WriteBytes(page * Sector.Size + half * Half, Half);

    /// <summary>Writes a half of a page, awaiting what it may give up to wait for.</summary>
    public void WriteHalf(int page, int half, CancellationToken token) => WriteBytes(page * Sector.Size + half * Half, Half, token);

    /// <summary>Writes several pages in one call: a clone sees all of it or nothing.</summary>
    public void WritePages(int page, int pages) => WriteBytes(page * Sector.Size, pages * Sector.Size);

    public void Punch(int page, int pages = 1) => Change(
        page * 2, pages * 2, Sector.Zero,
        () => Complete(File.PunchHoleAsync((long)page * Sector.Size, (long)pages * Sector.Size)));

    /// <summary>A hole that may begin and end inside pages.</summary>
    public void PunchHalves(int half, int halves) => Change(
        half, halves, Sector.Zero, () => Complete(File.PunchHoleAsync((long)half * Half, (long)halves * Half)));

    /// <summary>Makes the file shorter; what is behind reads zero if it is longer again.</summary>
    public void Truncate(int pages) => Change(
        pages * 2, _halves.Length - pages * 2, Sector.Zero, () => Complete(File.SetLengthAsync((long)pages * Sector.Size)));

    /// <summary>Makes the file end at half a page. It must grow again before the end: after a crash the engine's files end with their pages.</summary>
    public void TruncateHalves(int halves) => Change(
        halves, _halves.Length - halves, Sector.Zero, () => Complete(File.SetLengthAsync((long)halves * Half)));

    public void Grow(int pages) => Complete(File.SetLengthAsync((long)pages * Sector.Size));

    /// <summary>Takes pages over from another file, or from another place of this one.</summary>
    public void CloneRange(WrittenFile source, int from, int to, int pages = 1) => CloneHalves(source, from * 2, to * 2, pages * 2);

    /// <summary>Takes halves of pages over: those at the edges are copied.</summary>
    public void CloneHalves(WrittenFile source, int from, int to, int halves)
    {
        var begun = _universe.Tick();
        var entries = Enumerable.Range(0, halves).Select(half => _halves[to + half].BeginFrom(source._halves[from + half], begun)).ToList();
        Scheduler.Note($"clones {halves} halves from {from} to {to}");
        long done = 0;
        try
        {
            done = File.CloneRange(source.File, from * Half, to * Half, halves * Half);
        }
        catch (Exception error) when (error is PageLoadException or CacheWritebackException)
        {
            for (var half = 0; half < halves; half++)
            {
                _halves[to + half].Revoke(entries[half]);
            }

            throw;
        }

        Scheduler.Note($"has cloned {done} bytes");
        var now = _universe.Tick();
        for (var half = 0; half < halves; half++)
        {
            // What the source did not have any more was not taken over.
            entries[half].Ended = now;
            entries[half].Source!.Ended = now;
            if (half * Half >= done)
            {
                _halves[to + half].Revoke(entries[half]);
            }
        }
    }

    /// <summary>Shares pages of another file that hold the same; whether they do or not, nothing changes.</summary>
    public void Dedupe(WrittenFile source, int from, int to, int pages = 1)
    {
        Scheduler.Note($"dedupes {pages} pages from {from} to {to}");
        var done = File.Dedupe(source.File, from * Sector.Size, to * Sector.Size, pages * Sector.Size);
        Scheduler.Note($"has shared {done} bytes");
    }

    /// <summary>Somebody else writes to the block of a page on the device, and says so.</summary>
    public void OverwriteOnDevice(int page)
    {
        var (held, block) = (_universe.Fresh(), Stored.Blocks[page]);
        Change(page * 2, 2, held, () =>
        {
            _universe.Device.Overwrite(block, held);
            _universe.Volume.Discard(new BlockRun(block * Sector.Size, Sector.Size));
        });
    }

    public Sector[] Read(int page)
    {
        var bytes = new byte[Sector.Size];
        var begun = _universe.Tick();
        File.Read((long)page * Sector.Size, bytes);
        return RequireTrue(page, bytes, begun);
    }

    /// <summary>Reads a page of a file that others make shorter: what is not there any more reads nothing.</summary>
    public void ReadIfThere(int page)
    {
        var bytes = new byte[Sector.Size];
        var begun = _universe.Tick();
        if (File.Read((long)page * Sector.Size, bytes) > 0)
        {
            RequireTrue(page, bytes, begun);
        }
    }

    /// <summary>Reads a page of a file that may be closed meanwhile.</summary>
    public void ReadIfOpen(int page) => IfOpen(() => Read(page));

    public void IfOpen(Action act)
    {
        try
        {
            act();
        }
        catch (ObjectDisposedException)
        {
            Scheduler.Note("the file is closed");
        }
    }

    /// <summary>Reads a page if it is in memory. If not, the caller's buffer must be clean.</summary>
    public void TryRead(int page)
    {
        var bytes = new byte[Sector.Size];
        var begun = _universe.Tick();
        if (File.TryRead((long)page * Sector.Size, bytes, out _))
        {
            RequireTrue(page, bytes, begun);
        }
        else
        {
            WriteUniverse.Require(!bytes.AsSpan().ContainsAnyExcept((byte)0), "a failed read has left bytes in the caller's buffer (C10)");
        }
    }

    /// <summary>Leases a page, does something else meanwhile, and looks again: a lease is a snapshot.</summary>
    public void Lease(int page, Action meanwhile)
    {
        var begun = _universe.Tick();
        using var lease = Complete(File.PinAsync((long)page * Sector.Size));
        Scheduler.Note($"leased {lease.Frame}");
        var bytes = lease.Memory.ToArray();
        RequireTrue(page, bytes, begun);
        meanwhile();
        Scheduler.Note("looks at the lease again");
        WriteUniverse.Require(lease.Memory.Span.SequenceEqual(bytes), "the bytes of a lease have changed (C4)");
    }

    /// <summary>
    /// Leases a page for writing, writes a half of it, does something else meanwhile, and commits: the other half is what it was.
    /// </summary>
    /// <returns>Whether it was committed.</returns>
    public bool LeaseForWrite(int page, int half, Action meanwhile)
    {
        WriteLease lease;
        Sector held;
        try
        {
            lease = TakeForWrite(page, half, out held);
        }
        catch (ArgumentOutOfRangeException outside)
        {
            Scheduler.Note(outside.Message);
            return false;
        }

        try
        {
            meanwhile();
            var history = _halves[page * 2 + half];
            var entry = history.Begin(held, _universe.Tick());
            try
            {
                lease.Commit();
                entry.Ended = _universe.Tick();
                Scheduler.Note($"has committed {held}");
                return true;
            }
            catch (InvalidOperationException refusal)
            {
                history.Revoke(entry);
                Scheduler.Note(refusal.Message);
                return false;
            }
        }
        finally
        {
            lease.Dispose();
        }
    }

    /// <summary>Leases a page for writing, writes to it, and lets it go: nobody ever sees that.</summary>
    public void AbandonLease(int page, Action meanwhile)
    {
        using var lease = TakeForWrite(page, 0, out _);
        meanwhile();
    }

    private WriteLease TakeForWrite(int page, int half, out Sector held)
    {
        held = _universe.Fresh();
        var lease = Complete(File.LeaseForWriteAsync((long)page * Sector.Size));
        Scheduler.Note($"leased {lease.Frame} for writing {held}");
        var bytes = new byte[Sector.Size];
        held.CopyTo(bytes, half * WordsPerHalf, (half + 1) * WordsPerHalf);
        bytes.AsSpan(half * Half, Half).CopyTo(lease.Span[(half * Half)..]);
        return lease;
    }

    /// <summary>Makes what was written durable, and looks whether it is.</summary>
    public void Flush() => FlushBy(() => Complete(File.FlushAsync()));

    /// <summary>Flushes the whole volume: what was written to this file is durable afterwards.</summary>
    public void FlushVolume() => FlushBy(() => Complete(_universe.Volume.FlushAsync()));

    /// <summary>Flushes over a device or an engine that may fail: then it is not promised to be durable.</summary>
    public bool FlushIfSound()
    {
        try
        {
            Flush();
            return true;
        }
        catch (CacheWritebackException failure)
        {
            Scheduler.Note($"the flush fails: {failure.Message}");
            return false;
        }
    }

    public WrittenFile Clone(ulong id = 0)
    {
        var begun = _universe.Tick();
        Scheduler.Note("clone begins");
        var clone = File.Clone(new FileOpenOptions { Id = FileId.FromNumber(id) });
        Scheduler.Note("clone has returned");
        return _universe.Add(new WrittenFile(_universe, clone, [.. _halves.Select(half => half.CloneAt(begun))]));
    }

    /// <summary>Clones a file whose engine does it by a call: what is dirty is flushed first.</summary>
    public WrittenFile CloneByCall()
    {
        var begun = _universe.Tick();
        Scheduler.Note("clone by a call begins");
        var clone = Complete(File.CloneAsync());
        Scheduler.Note("clone by a call has returned");
        return _universe.Add(new WrittenFile(_universe, clone, [.. _halves.Select(half => half.CloneAt(begun))]));
    }

    /// <summary>Opens the file again, by its id or by its engine's map.</summary>
    public WrittenFile Reopen() => _universe.Add(new WrittenFile(
        _universe,
        _universe.Volume.OpenFile(Stored, (long)Stored.Pages * Sector.Size, new FileOpenOptions { Id = File.Id }),
        _halves));

    /// <summary>Somebody else's file over the blocks that the file has now.</summary>
    public WrittenFile OpenStranger()
    {
        var stored = new StoredFile(_universe.Store, Stored.Pages);
        foreach (var (page, block) in Stored.Blocks)
        {
            stored.Blocks[page] = block;
        }

        stored.Image().BecomesDurable();
        return _universe.Add(new WrittenFile(_universe, _universe.Volume.OpenFile(stored, File.Length), _halves));
    }

    public void Close() => File.Dispose();

    /// <summary>After a crash there is nothing in the file that was never written to it.</summary>
    public void RequireSoundAfterCrash()
    {
        foreach (var (half, shown) in Stored.IsDeleted || !Stored.IsDurable ? [] : AfterCrash())
        {
            Require(_halves[half].FaultAfterCrash(shown), half);
        }
    }

    /// <summary>All that was written before a moment would be there after a crash now.</summary>
    public void RequireDurable(long begun)
    {
        var ended = _universe.Tick();
        WriteUniverse.Require(Stored.IsDurable, "the file itself would not be there after a crash");
        foreach (var (half, shown) in AfterCrash())
        {
            Require(_halves[half].FaultOf(shown, begun, ended) is { } fault ? $"after a crash {fault} (A1a, C6)" : null, half);
        }
    }

    /// <summary>What every page shows.</summary>
    public Sector[] ReadAll() => [.. Enumerable.Range(0, (int)(File.Length / Sector.Size)).SelectMany(Read)];

    private void FlushBy(Action flush)
    {
        var begun = _universe.Tick();
        flush();
        Scheduler.Quietly(() =>
        {
            if (!Stored.IsDeleted)
            {
                RequireDurable(begun);
            }

            return 0;
        });
    }

    private void WriteBytes(int offset, int length, CancellationToken token = default)
    {
        var held = _universe.Fresh();
        var bytes = new byte[length];
        for (var done = 0; done < length; done += Half)
        {
            var place = (offset + done) / Half % 2 * WordsPerHalf;
            var sector = new byte[Sector.Size];
            held.CopyTo(sector, place, place + WordsPerHalf);
            sector.AsSpan(place * 8, Half).CopyTo(bytes.AsSpan(done));
        }

        Change(offset / Half, length / Half, held, () =>
        {
            Scheduler.Note($"writes {held} to {length} bytes at {offset}");
            if (token.CanBeCanceled)
            {
                Complete(File.WriteAsync(offset, bytes, cancellationToken: token));
            }
            else
            {
                File.Write(offset, bytes);
            }

            Scheduler.Note($"has written {held}");
        });
    }

    private void Change(int first, int count, Sector held, Action change)
    {
        var begun = _universe.Tick();
        var entries = Enumerable.Range(first, count).Select(half => _halves[half].Begin(held, begun)).ToList();
        try
        {
            change();
        }
        catch (Exception error) when (error is PageLoadException or ArgumentOutOfRangeException)
        {
            for (var i = 0; i < count; i++)
            {
                _halves[first + i].Revoke(entries[i]);
            }

            throw;
        }

        var now = _universe.Tick();
        entries.ForEach(entry => entry.Ended = now);
    }

    private IEnumerable<(int Half, Sector Shown)> AfterCrash()
    {
        for (var page = 0; page < MostPages; page++)
        {
            var bytes = _universe.Store.AfterCrash(Stored, page) ?? new byte[Sector.Size];
            yield return (page * 2, Sector.Of(bytes.AsSpan(0, Half)));
            yield return (page * 2 + 1, Sector.Of(bytes.AsSpan(Half), WordsPerHalf));
        }
    }

    private Sector[] RequireTrue(int page, ReadOnlySpan<byte> bytes, long begun)
    {
        var ended = _universe.Tick();
        Sector[] shown = [Sector.Of(bytes[..Half]), Sector.Of(bytes[Half..], WordsPerHalf)];
        for (var half = 0; half < 2; half++)
        {
            Require(_halves[page * 2 + half].FaultOf(shown[half], begun, ended), page * 2 + half);
        }

        return shown;
    }

    private static void Require(string? fault, int half) =>
        WriteUniverse.Require(fault is null, $"half {half % 2} of page {half / 2} showed {fault}");

    private static void Complete(ValueTask task)
    {
        WriteUniverse.Require(task.IsCompleted, "a logical thread waits by blocking");
        task.GetAwaiter().GetResult();
    }

    private static T Complete<T>(ValueTask<T> task)
    {
        WriteUniverse.Require(task.IsCompleted, "a logical thread waits by blocking");
        return task.AsTask().GetAwaiter().GetResult();
    }
}
