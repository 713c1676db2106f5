using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>
/// An open file. A read must show what was true at some moment between its begin and its end.
/// </summary>
internal sealed class TestFile
{
    private readonly Universe _universe;

    public TestFile(Universe universe, MappedFile file)
    {
        _universe = universe;
        File = file;
        Extents = (Extents)file.Extents;
    }

    public MappedFile File { get; }

    public Extents Extents { get; }

    public Action Read(int page) => () => ReadNow(page);

    /// <summary>Reads a page; it must be true.</summary>
    public void ReadNow(int page)
    {
        var bytes = new byte[_universe.PageSize];
        var begun = _universe.Tick();
        var count = File.Read((long)page * _universe.PageSize, bytes);
        Universe.Require(count == bytes.Length, $"{count} of {bytes.Length} bytes were read");
        RequireTrue(page, bytes, begun);
    }

    /// <summary>Reads a page, awaiting what it may give up to wait for.</summary>
    public void ReadAwaiting(int page, CancellationToken token)
    {
        var bytes = new byte[_universe.PageSize];
        var begun = _universe.Tick();
        var read = File.ReadAsync((long)page * _universe.PageSize, bytes, token);
        Universe.Require(read.IsCompleted, "a logical thread waits by blocking");
        Universe.Require(read.AsTask().GetAwaiter().GetResult() == bytes.Length, "the page was read as a whole");
        RequireTrue(page, bytes, begun);
    }

    /// <summary>Reads several pages in one call.</summary>
    public void ReadRange(int page, int pages)
    {
        var bytes = new byte[pages * _universe.PageSize];
        var begun = _universe.Tick();
        var count = File.Read((long)page * _universe.PageSize, bytes);
        Universe.Require(count == bytes.Length, $"{count} of {bytes.Length} bytes were read");
        for (var i = 0; i < pages; i++)
        {
            RequireTrue(page + i, bytes.AsSpan(i * _universe.PageSize, _universe.PageSize), begun);
        }
    }

    /// <summary>Reads a page of a file that may be closed meanwhile.</summary>
    public void ReadIfOpen(int page)
    {
        try
        {
            ReadNow(page);
        }
        catch (ObjectDisposedException)
        {
            Scheduler.Note("the file is closed");
        }
    }

    /// <summary>Reads a page of a device that may fail.</summary>
    public bool ReadIfSound(int page)
    {
        try
        {
            ReadNow(page);
            return true;
        }
        catch (PageLoadException failure)
        {
            Scheduler.Note($"the read fails: {failure.Message}");
            return false;
        }
    }

    /// <summary>Reads a page if it is in memory. If not, the caller's buffer must be clean.</summary>
    public bool TryRead(int page)
    {
        var bytes = new byte[_universe.PageSize];
        var begun = _universe.Tick();
        if (File.TryRead((long)page * _universe.PageSize, bytes, out _))
        {
            RequireTrue(page, bytes, begun);
            return true;
        }

        Universe.Require(!bytes.AsSpan().ContainsAnyExcept((byte)0), "a failed read has left bytes in the caller's buffer (C10)");
        return false;
    }

    /// <summary>Reads two words inside a page if it is in memory. If not, the caller's buffer must be clean.</summary>
    public bool TryReadWords(int page, int word)
    {
        var bytes = new byte[2 * sizeof(long)];
        var begun = _universe.Tick();
        if (File.TryRead(((long)page * _universe.PageSize) + (word * sizeof(long)), bytes, out var count))
        {
            Universe.Require(count == bytes.Length, $"{count} of {bytes.Length} bytes were read");
            Extents.RequireTrue(page * _universe.SectorsPerPage, Sector.Of(bytes, word), begun, _universe.Tick());
            return true;
        }

        Universe.Require(!bytes.AsSpan().ContainsAnyExcept((byte)0), "a failed read has left bytes in the caller's buffer (C10)");
        return false;
    }

    /// <summary>Leases a page if it is in memory, does something else meanwhile, and looks again: a lease is a snapshot.</summary>
    public bool TryLease(int page, Action meanwhile)
    {
        var begun = _universe.Tick();
        if (!File.TryPin((long)page * _universe.PageSize, out var lease))
        {
            return false;
        }

        using (lease)
        {
            Scheduler.Note($"leased {lease.Frame}");
            var bytes = lease.Span.ToArray();
            RequireTrue(page, bytes, begun);
            meanwhile();
            Scheduler.Note("looks at the lease again");
            Universe.Require(lease.Span.SequenceEqual(bytes), $"the bytes of a lease have changed (C4): {Describe(lease.Span)}");
        }

        return true;
    }

    /// <summary>Leases a page, loading it and waiting as long as it takes.</summary>
    public void Lease(int page, Action meanwhile)
    {
        var begun = _universe.Tick();
        var taken = File.PinAsync((long)page * _universe.PageSize);
        Universe.Require(taken.IsCompleted, "a logical thread waits by blocking");
        using var lease = taken.AsTask().GetAwaiter().GetResult();
        Scheduler.Note($"leased {lease.Frame}");
        var bytes = lease.Memory.ToArray();
        RequireTrue(page, bytes, begun);
        meanwhile();
        Scheduler.Note("looks at the lease again");
        Universe.Require(lease.Memory.Span.SequenceEqual(bytes), $"the bytes of a lease have changed (C4): {Describe(lease.Memory.Span)}");
    }

    /// <summary>The engine maps a sector elsewhere; the cache is not told yet.</summary>
    public void Remap(int sector, long to) => Extents.Remap(sector, to);

    /// <summary>The cache is told of all changes of the extents.</summary>
    public void Invalidate()
    {
        var told = _universe.Tick();
        File.InvalidateExtents(0, File.Length);
        Extents.Told(told);
    }

    /// <summary>A clone, with the engine's clone of the extents.</summary>
    public TestFile Clone() => _universe.Add(new TestFile(_universe, File.Clone()));

    public void CheckAtRest()
    {
        if (File.IsClosed)
        {
            return;
        }

        for (var page = 0; page < File.Length / _universe.PageSize; page++)
        {
            ReadNow(page);
        }
    }

    private void RequireTrue(int page, ReadOnlySpan<byte> bytes, long begun)
    {
        var ended = _universe.Tick();
        for (var i = 0; i < _universe.SectorsPerPage; i++)
        {
            var sector = page * _universe.SectorsPerPage + i;
            var shown = Sector.Of(bytes.Slice(i * Sector.Size, Sector.Size));
            Extents.RequireTrue(sector, shown, begun, ended);
        }
    }

    private string Describe(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Sector.Of(bytes[..Sector.Size]).ToString();
        }
        catch (TornException torn)
        {
            return torn.Message;
        }
    }
}
