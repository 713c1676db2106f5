using System.Diagnostics;

namespace SharedPageCache.Benchmarks;

/// <summary>
/// Ratios to the raw copy, measured side by side: each round times the raw copy and the cache in turn over the same
/// pages; the median of the rounds' ratios is reported, and rounds in which the raw copy was disturbed (over 1.3 x its
/// own minimum) are dropped.
/// </summary>
internal sealed class Ratios
{
    private const int Rounds = 31;

    private readonly byte[] _buffer = new byte[1 << 20];

    public void Run(long fileBytes)
    {
        var pages = (int)(fileBytes >> 12);
        using var raw = new RawCopy(pages, 4096);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = fileBytes + fileBytes / 8 + (16 << 20) });
        using var volume = cache.AttachVolume(new ZeroCostDevice(fileBytes));
        using var file = volume.OpenFile(new StraightExtents(0, fileBytes), fileBytes);
        for (long offset = 0; offset < fileBytes; offset += _buffer.Length)
        {
            file.Read(offset, _buffer);
        }

        using var deep = CloneOfClones(file, 100);
        Console.WriteLine($"{pages} pages, {cache.GetStatistics().ResidentBytes >> 20} MiB resident, {Environment.ProcessorCount} cores, {DateTime.UtcNow:yyyy-MM-dd}");
        Console.WriteLine($"{"what",-44}{"raw ns",10}{"ours ns",10}{"ratio",8}");
        Compare("TryRead 4 KiB, random", raw, file, pages, 4096, 20_000);
        Compare("TryRead 4 KiB, clone at depth 100", raw, deep, pages, 4096, 20_000);
        Compare("TryRead 4 KiB, hot set of 8 MiB", raw, file, 2048, 4096, 20_000);
        Compare("TryRead 8 B, random", raw, file, pages, 8, 100_000);
        Compare("TryRead 8 B, hot set of 512 KiB", raw, file, 128, 8, 100_000);
        Depth(file, deep, pages);
        Time("lease take and release, hot page", 1_000_000, () =>
        {
            file.TryPin(4096, out var lease);
            lease.Dispose();
        });
        Clone("empty hook", file);
        CloneSizes();
        MinorFault(volume, file, fileBytes, pages);
        Miss(fileBytes, pagesPerRead: 1);
        Miss(fileBytes, pagesPerRead: 64);
        Evict();
    }

    private static MappedFile CloneOfClones(MappedFile file, int depth)
    {
        var clone = file.Clone();
        for (var i = 1; i < depth; i++)
        {
            var next = clone.Clone();
            clone.Dispose();
            clone = next;
        }

        return clone;
    }

    private void Depth(MappedFile origin, MappedFile deep, int pages)
    {
        var ratios = new List<double>();
        var order = Order(pages, 20_000);
        for (var round = 0; round < Rounds; round++)
        {
            var a = TimeReads(origin, order, 4096);
            var b = TimeReads(deep, order, 4096);
            ratios.Add(b / a);
        }

        ratios.Sort();
        Console.WriteLine($"{"clone at depth 100 against its origin, 4 KiB",-44}{"",20}{ratios[ratios.Count / 2],8:0.00}");
    }

    private void Compare(string name, RawCopy raw, MappedFile file, int pages, int size, int count)
    {
        var order = Order(pages, count);
        var rounds = new List<(double Raw, double Ours)>();
        for (var round = 0; round < Rounds; round++)
        {
            var start = Stopwatch.GetTimestamp();
            foreach (var page in order)
            {
                raw.Read(page, 0, _buffer.AsSpan(0, size));
            }

            var rawTime = Stopwatch.GetElapsedTime(start).TotalNanoseconds / count;
            rounds.Add((rawTime, TimeReads(file, order, size)));
        }

        var least = rounds.Min(static round => round.Raw);
        var kept = rounds.Where(round => round.Raw <= least * 1.3).OrderBy(static round => round.Ours / round.Raw).ToList();
        var (rawMedian, ours) = kept[kept.Count / 2];
        Console.WriteLine($"{name,-44}{rawMedian,10:0.0}{ours,10:0.0}{ours / rawMedian,8:0.00}");
    }

    private double TimeReads(MappedFile file, int[] order, int size)
    {
        var start = Stopwatch.GetTimestamp();
        foreach (var page in order)
        {
            if (!file.TryRead((long)page << 12, _buffer.AsSpan(0, size), out _))
            {
                throw new InvalidOperationException("A page that should be resident is not.");
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / order.Length;
    }

    private static int[] Order(int pages, int count)
    {
        var random = new Random(42);
        var order = new int[count];
        for (var i = 0; i < count; i++)
        {
            order[i] = random.Next(pages);
        }

        return order;
    }

    private static void Time(string name, int count, Action action)
    {
        for (var i = 0; i < count / 4; i++)
        {
            action();
        }

        var best = new List<double>();
        for (var round = 0; round < 11; round++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < count; i++)
            {
                action();
            }

            best.Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds / count);
        }

        best.Sort();
        Console.WriteLine($"{name,-44}{"",10}{best[best.Count / 2],10:0.0}");
    }

    /// <summary>A clone costs the same whatever the file's size: leaves fully mapped at 1 GiB, touched here and there beyond.</summary>
    private void CloneSizes()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 512 << 20, MaxReadAheadPages = 0 });
        using var volume = cache.AttachVolume(new ZeroCostDevice(1L << 41));
        foreach (var shift in (int[])[20, 30, 40])
        {
            var length = 1L << shift;
            using var file = volume.OpenFile(new StraightExtents(0, length), length);
            var step = Math.Max(512 << 12, length >> 12);
            for (long offset = 0; offset < length; offset += step)
            {
                file.Read(offset, _buffer.AsSpan(0, 8));
            }

            Clone($"{length >> 20} MiB", file);
        }
    }

    private static void Clone(string name, MappedFile file)
    {
        var clones = new MappedFile[20_000];
        var times = new double[clones.Length];
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < clones.Length; i++)
        {
            var start = Stopwatch.GetTimestamp();
            clones[i] = file.Clone();
            times[i] = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
        }

        var bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / clones.Length;
        Array.Sort(times);
        Console.WriteLine($"{$"Clone, {name} (one by one, clock included)",-44}{"",10}{times[times.Length / 2],10:0.0}   {bytes} B");
        foreach (var clone in clones)
        {
            clone.Dispose();
        }
    }

    private void MinorFault(CachedVolume volume, MappedFile file, long fileBytes, int pages)
    {
        // A stranger whose windows differ from the file's by one page shares blocks, not leaves.
        using var stranger = volume.OpenFile(new StraightExtents(4096, fileBytes - 4096), fileBytes - 4096);
        var windows = (pages - 1) / 512;
        for (var window = 0; window < windows; window++)
        {
            stranger.Read((long)window << 21, _buffer.AsSpan(0, 8));
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        var start = Stopwatch.GetTimestamp();
        var faults = 0;
        for (var page = 1; page < pages - 1; page++)
        {
            if (page % 512 != 0)
            {
                stranger.Read((long)page << 12, _buffer.AsSpan(0, 8));
                faults++;
            }
        }

        var time = Stopwatch.GetElapsedTime(start).TotalNanoseconds / faults;
        Console.WriteLine($"{"minor fault and 8 B (places in overflow)",-44}{"",10}{time,10:0.0}   {(GC.GetAllocatedBytesForCurrentThread() - before) / faults} B");
        GC.KeepAlive(file);
    }

    private void Miss(long fileBytes, int pagesPerRead)
    {
        var bytes = pagesPerRead << 12;
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = fileBytes + fileBytes / 8 + (16 << 20), MaxReadAheadPages = 0 });
        using var volume = cache.AttachVolume(new ZeroCostDevice(fileBytes));
        using var file = volume.OpenFile(new StraightExtents(0, fileBytes), fileBytes);
        var time = 0.0;
        for (var pass = 0; pass < 3; pass++)
        {
            // The first pass touches the memory; after a discard of everything the others are misses again.
            volume.Discard(new BlockRun(0, fileBytes));
            var start = Stopwatch.GetTimestamp();
            for (long offset = 0; offset + bytes <= fileBytes; offset += bytes)
            {
                file.Read(offset, _buffer.AsSpan(0, bytes));
            }

            time = Stopwatch.GetElapsedTime(start).TotalNanoseconds / (fileBytes >> 12);
        }

        Console.WriteLine($"{$"miss, zero-cost device, {pagesPerRead} pages a read, a page",-44}{"",10}{time,10:0.0}");
    }

    private void Evict()
    {
        const long FileBytes = 256 << 20;
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 32 << 20, MaxReadAheadPages = 0 });
        using var volume = cache.AttachVolume(new ZeroCostDevice(FileBytes));
        using var file = volume.OpenFile(new StraightExtents(0, FileBytes), FileBytes);
        for (var pass = 0; pass < 2; pass++)
        {
            var evictions = cache.GetStatistics().Evictions;
            var start = Stopwatch.GetTimestamp();
            for (long offset = 0; offset < FileBytes; offset += 64 << 12)
            {
                file.Read(offset, _buffer.AsSpan(0, 64 << 12));
            }

            var time = Stopwatch.GetElapsedTime(start).TotalNanoseconds / (cache.GetStatistics().Evictions - evictions);
            if (pass == 1)
            {
                Console.WriteLine($"{"miss with eviction, 64 pages a read, a page",-44}{"",10}{time,10:0.0}");
            }
        }
    }
}
