using System.Diagnostics;
using SharedPageCache.Cow;
using SharedPageCache.Measures;
using SharedPageCache.Measures.Peers;

namespace SharedPageCache.Throughput;

/// <summary>Two hundred clones at once: all boot, or all commit.</summary>
internal static class Storms
{
    private const string Section = "Storms";
    private const int Clones = 200;
    private const int DirtyPages = 16;

    public static IEnumerable<Figure> Measure(HouseArguments arguments) => Boot(arguments).Concat(Commit(arguments));

    /// <summary>Each clone reads the first quarter of the image, in an order of its own; the cache has room for the image and a quarter.</summary>
    private static IEnumerable<Figure> Boot(HouseArguments arguments)
    {
        var bytes = arguments.Quick ? 4L << 20 : 32L << 20;
        using var scratch = new ScratchFile(arguments.Scratch, bytes);
        var workload = new PeerWorkload(scratch.Path, bytes, Clones, (bytes * 5 / 4) + (16 << 20));
        foreach (var peer in PeerList.Of(arguments.Peers))
        {
            var times = new List<double>();
            long memory = 0;
            for (var i = 0; i < 3; i++)
            {
                using var cache = peer.TryOpen(workload);
                if (cache is null)
                {
                    break;
                }

                var start = Stopwatch.GetTimestamp();
                Parallel.For(0, Clones, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, clone => BootOne(cache, clone, bytes));
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                memory = cache.MemoryBytes;
            }

            if (times.Count > 0)
            {
                yield return new Figure(
                    Section, $"boot storm: {Clones} clones read {bytes >> 22} MiB each", peer.Name, Interleaved.Median(times), "ms", null,
                    FormattableString.Invariant($"{memory >> 20} MiB in memory at the end, of {workload.CacheBytes >> 20} MiB allowed"));
            }
        }
    }

    private static void BootOne(IPeerCache cache, int clone, long bytes)
    {
        var pages = (int)(bytes >> 14);
        var buffer = new byte[PeerWorkload.PageSize];
        for (var i = 0; i < pages; i++)
        {
            // Pieces of 16 pages, beginning elsewhere in each clone.
            cache.Read(clone, (long)((i + (clone * 16)) % pages) << 12, buffer);
        }
    }

    /// <summary>Each clone has written some pages; one flush makes all of them durable.</summary>
    private static IEnumerable<Figure> Commit(HouseArguments arguments)
    {
        var bytes = arguments.Quick ? 4L << 20 : 32L << 20;
        var path = Path.Combine(arguments.Scratch, $"spc-bench-{Environment.ProcessId}.cow");
        var page = new byte[4096];
        var times = new List<double>();
        var written = 0L;
        var blocks = 0L;
        for (var round = 0; round < 3; round++)
        {
            try
            {
                using var cache = new PageCache(new PageCacheOptions { CapacityBytes = bytes + (192 << 20), DirtyAge = TimeSpan.FromDays(1) });
                using var engine = CowVolume.Create(path, new CowVolumeOptions { CapacityBytes = bytes + (256 << 20) });
                using var volume = engine.Attach(cache);
                using var golden = volume.OpenFile(engine.CreateFile("golden"), 0);
                for (long offset = 0; offset < bytes; offset += page.Length)
                {
                    golden.Write(offset, page);
                }

                volume.FlushAsync().AsTask().GetAwaiter().GetResult();
                var clones = Enumerable.Range(0, Clones).Select(_ => golden.Clone()).ToList();
                for (var i = 0; i < Clones; i++)
                {
                    engine.Link((CowFile)clones[i].Extents, $"clone {i}");
                    for (var dirty = 0; dirty < DirtyPages; dirty++)
                    {
                        clones[i].Write(((i * 31L) + (dirty * 509L)) * 4096 % bytes, page);
                    }
                }

                var before = cache.GetStatistics();
                var start = Stopwatch.GetTimestamp();
                volume.FlushAsync().AsTask().GetAwaiter().GetResult();
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                var after = cache.GetStatistics();
                written = after.DeviceWrites - before.DeviceWrites;
                blocks = Clones * DirtyPages;
                clones.ForEach(static clone => clone.Dispose());
            }
            finally
            {
                File.Delete(path);
            }
        }

        var raw = RawCommit(arguments, (int)blocks);
        var what = $"commit storm: {Clones} clones, {DirtyPages} dirty pages each, one flush";
        yield return new Figure(Section, what, "SharedPageCache, CowVolume", Interleaved.Median(times), "ms", null, $"{blocks} pages in {written} device writes");
        yield return new Figure(Section, what, "one write of as many bytes and a flush", raw, "ms", null, "no cache, no engine: the bound");
    }

    private static double RawCommit(HouseArguments arguments, int pages)
    {
        using var scratch = new ScratchFile(arguments.Scratch, 1 << 20);
        var content = new byte[pages << 12];
        new Random(31).NextBytes(content);
        var times = new List<double>();
        for (var i = 0; i < 3; i++)
        {
            using var file = File.OpenHandle(scratch.Path, FileMode.Open, FileAccess.ReadWrite);
            var start = Stopwatch.GetTimestamp();
            RandomAccess.Write(file, content, 0);
            RandomAccess.FlushToDisk(file);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return Interleaved.Median(times);
    }
}
