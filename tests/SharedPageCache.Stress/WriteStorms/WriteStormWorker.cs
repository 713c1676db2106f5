using System.Runtime.InteropServices;
using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.WriteStorms;

/// <summary>One thread of the storm.</summary>
internal sealed partial class WriteStormWorker(WriteStorm storm, WriteStormOptions options, int number)
{
    private readonly Dice _dice = new(Dice.Mix(options.Seed, (ulong)number + 1));
    private readonly List<(PageMemoryLease Lease, byte[] Bytes, string Where)> _leases = [];

    public long Operations { get; private set; }

    public long WordsChecked { get; private set; }

    public string Doing { get; private set; } = "nothing";

    /// <summary>How many ranges were cloned, how many calls of dedupe shared something, how many branches were merged.</summary>
    public long Ranges { get; private set; }

    public long Deduped { get; private set; }

    public long Merges { get; private set; }

    public void Step()
    {
        Operations++;
        if (_leases.Count > 0 && _dice.OneIn(4))
        {
            EndLease();
        }

        if (storm.Pick(_dice) is not { } file)
        {
            Doing = "new file";
            var fresh = storm.NewFile();
            if (!storm.TryAdd(fresh))
            {
                fresh.Handle.Dispose();
            }

            return;
        }

        var kind = _dice.Below(1000);
        if (kind < 20)
        {
            Exchange(file, kind);
            return;
        }

        if (!file.Use.TryEnterReadLock(1000))
        {
            return;
        }

        try
        {
            if (!file.IsGone)
            {
                Do(file, kind);
            }
        }
        finally
        {
            file.Use.ExitReadLock();
        }
    }

    public void Finish()
    {
        while (_leases.Count > 0)
        {
            EndLease();
        }
    }

    private void Do(WrittenFile file, int kind)
    {
        switch (kind)
        {
            case < 330:
                WriteStripe(file);
                break;
            case < 430:
                WriteRecord(file);
                break;
            case < 480:
                WritePage(file);
                break;
            case < 720:
                Read(file);
                break;
            case < 765:
                CloneRange(file);
                break;
            case < 780:
                Dedupe(file);
                break;
            case < 790:
                Merge(file);
                break;
            case < 800:
                Zero(file);
                break;
            case < 850:
                Clone(file);
                break;
            case < 900:
                Lease(file);
                break;
            case < 940 when options.ChangesShape:
                Cut(file);
                break;
            case < 960:
                Flush(file);
                break;
            case < 970:
                FlushVolume();
                break;
            case < 985:
                Doing = "invalidate";
                file.Handle.InvalidateExtents(0, _dice.OneIn(2) ? 0 : file.Handle.Length);
                break;
            case < 1000:
                Doing = "prefetch";
                file.Handle.PrefetchAsync(0, options.Pages * options.PageSize).AsTask().GetAwaiter().GetResult();
                break;
        }
    }

    private int AnyStripedPage() => _dice.From(storm.FirstStripedPage, options.Pages - 1);

    /// <summary>A part of a page: this worker's stripe.</summary>
    private void WriteStripe(WrittenFile file)
    {
        var page = AnyStripedPage();
        Doing = $"write stripe of page {page} of {file}";
        var stripe = number % WrittenFile.Stripes;
        Write(file, page * options.PageSize + stripe * file.StripeBytes, file.StripeBytes, file.NextWord(page), page, stripe, 1);
    }

    private void WritePage(WrittenFile file)
    {
        var page = AnyStripedPage();
        Doing = $"write page {page} of {file}";
        Write(file, page * options.PageSize, options.PageSize, file.NextWord(page), page, 0, WrittenFile.Stripes);
    }

    private void WriteRecord(WrittenFile file)
    {
        var first = _dice.Below(2) * storm.RecordPages;
        Doing = $"write record at page {first} of {file}";
        Write(file, first * options.PageSize, storm.RecordPages * options.PageSize, file.NextWord(first), first, 0, storm.RecordPages * WrittenFile.Stripes);
    }

    private void Write(WrittenFile file, long offset, int count, ulong word, int page, int stripe, int stripes)
    {
        var bytes = new byte[count];
        MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan()).Fill(word);
        var cells = Enumerable.Range(stripe, stripes).Select(i => file.CellAt(page + i / WrittenFile.Stripes, i % WrittenFile.Stripes)).ToArray();
        var changes = Array.ConvertAll(cells, cell => cell.Begin(word));
        if (!Tolerates(() =>
        {
            if (_dice.OneIn(3))
            {
                file.Handle.WriteAsync(offset, bytes).AsTask().GetAwaiter().GetResult();
            }
            else
            {
                file.Handle.Write(offset, bytes);
            }
        }))
        {
            // Nothing was written, or all: it stays possible for ever.
            return;
        }

        for (var i = 0; i < cells.Length; i++)
        {
            cells[i].End(changes[i]);
        }
    }

    private void Read(WrittenFile file)
    {
        var first = _dice.Below(options.Pages);
        var pages = Math.Min(_dice.From(1, 4), options.Pages - first);
        Doing = $"read {pages} pages at {first} of {file}";
        var looks = file.Look(first, pages);
        var bytes = new byte[pages * options.PageSize];
        var offset = (long)first * options.PageSize;
        if (_dice.OneIn(4))
        {
            file.Handle.ReadAsync(offset, bytes).AsTask().GetAwaiter().GetResult();
        }
        else
        {
            file.Handle.Read(offset, bytes);
        }

        // Each page for itself: between two pages of one read others may have been written.
        file.Judge(first, bytes, looks, "read");
        WordsChecked += bytes.Length / 8;
    }

    /// <summary>A clone shows one moment: each record whole, and later what it showed at first.</summary>
    private void Clone(WrittenFile file)
    {
        Doing = $"clone {file}";
        var looks = file.Look(0, options.Pages);
        var id = storm.NextId();
        var handle = file.Handle.Clone(new FileOpenOptions { Id = id });
        var bytes = new byte[options.Pages * options.PageSize];
        Doing = $"read the clone of {file}";
        handle.Read(0, bytes);
        WordsChecked += bytes.Length / 8;
        var words = file.Judge(0, bytes, looks, "read of a clone");
        for (var record = 0; record < 2; record++)
        {
            var stripes = storm.RecordPages * WrittenFile.Stripes;
            var shown = words.AsSpan(record * stripes, stripes);
            if (shown.ContainsAnyExcept(shown[0]))
            {
                throw new WriteStormFailure($"a clone of {file} shows a part of record {record}: {string.Join(' ', shown.ToArray().Select(static word => $"{word:x}"))}");
            }
        }

        if (_dice.OneIn(2))
        {
            Thread.Sleep(_dice.Below(3));
            var again = new byte[bytes.Length];
            handle.Read(0, again);
            if (!bytes.AsSpan().SequenceEqual(again))
            {
                throw new WriteStormFailure($"a clone of {file} has changed at {bytes.AsSpan().CommonPrefixLength(again)}");
            }
        }

        var clone = new WrittenFile(options, handle, id, words);
        if (!storm.TryAdd(clone))
        {
            if (_dice.OneIn(2))
            {
                handle.Delete();
            }
            else
            {
                handle.Dispose();
            }
        }
    }

    private void Lease(WrittenFile file)
    {
        var page = _dice.Below(options.Pages);
        Doing = $"lease page {page} of {file}";
        var looks = file.Look(page, 1);
        if (_leases.Count > 0 || Pin(file, page) is not { } lease)
        {
            return;
        }

        var bytes = lease.Memory.ToArray();
        _leases.Add((lease, bytes, $"page {page} of {file}"));
        Array.Resize(ref bytes, options.PageSize);
        file.Judge(page, bytes, looks, "lease");
    }

    private PageMemoryLease? Pin(WrittenFile file, int page)
    {
        using var patience = new CancellationTokenSource(20);
        try
        {
            return file.Handle.PinAsync(page * options.PageSize, patience.Token).AsTask().GetAwaiter().GetResult();
        }
        catch (Exception error) when (error is ArgumentOutOfRangeException or OperationCanceledException)
        {
            // Behind the end of the file, or all leases are given out.
            return null;
        }
    }

    private void EndLease()
    {
        var (lease, bytes, where) = _leases[^1];
        _leases.RemoveAt(_leases.Count - 1);
        var isFrozen = lease.Memory.Span.SequenceEqual(bytes);
        lease.Dispose();
        if (!isFrozen)
        {
            throw new WriteStormFailure($"the lease of {where} has changed");
        }
    }

    /// <summary>A hole, or another length: also in the middle of a page.</summary>
    private void Cut(WrittenFile file)
    {
        var page = AnyStripedPage();
        var stripe = _dice.OneIn(2) ? 0 : _dice.Below(WrittenFile.Stripes);
        var offset = page * options.PageSize + stripe * file.StripeBytes;
        var first = page * WrittenFile.Stripes + stripe;
        var isPunch = _dice.OneIn(2);
        var count = isPunch ? Math.Min(_dice.From(1, 30), options.Pages * WrittenFile.Stripes - first) : options.Pages * WrittenFile.Stripes - first;
        Doing = $"{(isPunch ? "punch" : "set length")} at {offset} ({count} stripes) of {file}";
        var cells = Enumerable.Range(first, count).Select(i => file.CellAt(i / WrittenFile.Stripes, i % WrittenFile.Stripes)).ToArray();
        var changes = Array.ConvertAll(cells, static cell => cell.Begin(0));
        if (Tolerates(() => (isPunch
            ? file.Handle.PunchHoleAsync(offset, count * file.StripeBytes).AsTask()
            : file.Handle.SetLengthAsync(offset).AsTask()).GetAwaiter().GetResult()))
        {
            for (var i = 0; i < cells.Length; i++)
            {
                cells[i].End(changes[i]);
            }
        }
    }

    private void Flush(WrittenFile file)
    {
        Doing = $"flush {file}";
        var looks = file.Look(0, options.Pages);
        if (Tolerates(() => file.Handle.FlushAsync().AsTask().GetAwaiter().GetResult()) && !options.InPlace)
        {
            storm.CheckDurable(file, looks, "durable after a flush");
        }
    }

    private void FlushVolume()
    {
        Doing = "flush the volume";
        Tolerates(() => storm.Volume.FlushAsync().AsTask().GetAwaiter().GetResult());
    }

    /// <summary>Close and open again, or delete: alone with the handle.</summary>
    private void Exchange(WrittenFile file, int kind)
    {
        Doing = $"wait to exchange {file}";
        if (!file.Use.TryEnterWriteLock(100))
        {
            return;
        }

        try
        {
            if (file.IsGone)
            {
                return;
            }

            Doing = $"exchange {file}";
            if (kind < 5)
            {
                file.Handle.Delete();
                file.IsGone = true;
                storm.Remove(file);
                return;
            }

            var length = file.Handle.Length;
            var extents = file.Handle.Extents;
            if (kind < 12)
            {
                Tolerates(() => file.Handle.DisposeAsync().AsTask().GetAwaiter().GetResult());
            }
            else
            {
                file.Handle.Dispose();
            }

            file.Handle = storm.Volume.OpenFile(extents, length, new FileOpenOptions { Id = file.Id });
        }
        finally
        {
            file.Use.ExitWriteLock();
        }
    }

    /// <summary>Runs something that may fail because the device does.</summary>
    private bool Tolerates(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (CacheWritebackException) when (options.Fails)
        {
            return false;
        }
    }
}
