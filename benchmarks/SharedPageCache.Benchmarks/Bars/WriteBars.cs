using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>Writes in memory: to a page that is the file's own, and the first one after a clone.</summary>
internal static class WriteBars
{
    private const string Section = "Writes";
    private const string Ours = "SharedPageCache";
    private const int Page = 4096;

    /// <summary>Root and leaf: a file of 1 GiB has no levels between.</summary>
    private const int Levels = 2;

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        var bytes = arguments.LargeBytes;
        using var cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = (bytes * 5 / 2) + (64 << 20), DirtyLimitBytes = bytes / 2, DirtyThrottleBytes = bytes / 2, DirtyStartBytes = bytes / 2,
            DirtyAge = TimeSpan.FromDays(1),
        });
        var engine = new DirtyFile(bytes);
        using var volume = cache.AttachVolume(new ZeroCostDevice(bytes), new VolumeOptions { Placement = engine });
        using var clean = volume.OpenFile(engine, bytes);
        var buffer = new byte[1 << 20];
        for (long offset = 0; offset < bytes; offset += buffer.Length)
        {
            clean.Read(offset, buffer);
        }

        foreach (var figure in FirstWrites(arguments, clean, bytes, "a clean file"))
        {
            yield return figure;
        }

        using var dirty = volume.OpenFile(new DirtyFile(), bytes / 4);
        for (long offset = 0; offset < bytes / 4; offset += buffer.Length)
        {
            dirty.Write(offset, buffer);
        }

        yield return PrivateWrites(arguments, dirty);

        // As long, and dirty in a few windows: a clone is deleted again each time, and that costs in proportion to its dirty pages.
        using var partly = volume.OpenFile(new DirtyFile(), bytes);
        partly.Write(0, buffer);
        partly.Write(bytes / 2, buffer);
        foreach (var figure in FirstWrites(arguments, partly, buffer.Length, "a dirty file"))
        {
            yield return figure;
        }
    }

    private static Figure PrivateWrites(HouseArguments arguments, MappedFile file)
    {
        using var raw = new RawCopy((int)(file.Length / Page), Page);
        var page = new byte[Page];
        var random = new Random(7);
        var order = Enumerable.Range(0, 1 << 16).Select(_ => random.NextInt64(file.Length / Page) * Page).ToArray();
        var rounds = Interleaved.Run(
            arguments.Budget,
            new Lane("raw copy", 400, number =>
            {
                foreach (var offset in Part(number))
                {
                    raw.Write(offset, page);
                }
            }),
            new Lane("Write", 400, number =>
            {
                foreach (var offset in Part(number))
                {
                    file.Write(offset, page);
                }
            }));
        var before = GC.GetAllocatedBytesForCurrentThread();
        file.Write(order[0], page);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        var figure = HitBars.Ratio(rounds, 1, 0, $"write of 4 KiB to a private page, random over {file.Length >> 20} MiB", "raw copy", null, Section);
        return figure with { Detail = $"{figure.Detail}; {allocated} B allocated" };

        ReadOnlySpan<long> Part(int number) => order.AsSpan((int)((uint)(number * 400) % (order.Length - 400)), 400);
    }

    private static IEnumerable<Figure> FirstWrites(HouseArguments arguments, MappedFile file, long range, string what)
    {
        // One by one, the clock included: what comes first is what costs.
        const int WarmUps = 1500;
        var page = new byte[Page];
        var random = new Random(13);
        var times = new List<double>();
        var allocated = new List<double>();
        for (var i = 0; i < WarmUps + (arguments.Quick ? 300 : 2000); i++)
        {
            if (i is WarmUps / 2 or WarmUps)
            {
                Thread.Sleep(200);
            }

            var offset = random.NextInt64(range / Page) * Page;
            var clone = file.Clone();
            var before = GC.GetAllocatedBytesForCurrentThread();
            var start = RoundClock.Now();
            clone.Write(offset, page);
            var time = RoundClock.Now() - start;
            var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            clone.Delete();
            if (i >= WarmUps)
            {
                times.Add(time);
                allocated.Add(bytes);
            }
        }

        var size = $"{file.Length >> 20} MiB";
        times.Sort();
        yield return new Figure(
            Section, $"first write of 4 KiB after a clone, {what} of {size}", Ours, Interleaved.Median(times) / 1000, "us", new Bar(10),
            FormattableString.Invariant($"a tenth took more than {times[times.Count * 9 / 10] / 1000:0.0} us"));
        yield return new Figure(
            Section, $"memory of that, beside the page, {what}", Ours, Interleaved.Median(allocated) / 1024, "KiB", new Bar(4.2 * Levels),
            $"all that it allocates, garbage too; {Levels} levels");
    }
}
