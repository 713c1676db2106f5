using System.Diagnostics;
using SharedPageCache.Cow;
using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>Clones of a file of which every 16th page was rewritten: by the cache alone, with a real engine, and by the file system.</summary>
internal static class CloneBars
{
    private const string Section = "Clones";
    private const int InBatch = 500;
    private const int RewrittenPage = 16 << 12;

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        var bytes = arguments.Quick ? 64L << 20 : 512L << 20;
        var what = $"clone of {bytes >> 20} MiB, every 16th page rewritten";
        foreach (var figure in WithEmptyHook(arguments, bytes, what).Concat(WithCowVolume(arguments, bytes, what)))
        {
            yield return figure;
        }

        foreach (var folder in arguments.Reflinks)
        {
            yield return ByFileSystem(folder, bytes, what);
        }
    }

    private static IEnumerable<Figure> WithEmptyHook(HouseArguments arguments, long bytes, string what)
    {
        using var cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = (bytes * 5 / 2) + (64 << 20), DirtyLimitBytes = bytes, DirtyThrottleBytes = bytes, DirtyStartBytes = bytes,
            DirtyAge = TimeSpan.FromDays(1),
        });
        var engine = new DirtyFile(bytes);
        using var volume = cache.AttachVolume(new ZeroCostDevice(bytes), new VolumeOptions { Placement = engine });
        using var file = volume.OpenFile(engine, bytes);
        ReadAll(file);
        var small = volume.OpenFile(new DirtyFile(1 << 20), 1 << 20);
        var page = new byte[4096];
        for (long offset = 0; offset < bytes; offset += RewrittenPage)
        {
            file.Write(offset, page);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        var one = file.Clone();
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        one.Dispose();
        var clones = new MappedFile?[InBatch];
        var rounds = Interleaved.Run(arguments.Budget, Lane("of 1 MiB", small, clones), Lane("of all", file, clones));
        yield return new Figure(
            Section, what, "the cache alone", rounds.Nanoseconds(1), "ns", new Bar(300), $"{allocated} B; dirty pages and all, nothing is flushed");
        yield return HitBars.Ratio(rounds, 1, 0, what, "a clone of 1 MiB", new Bar(1.15), Section);
        Dispose(clones);
        small.Dispose();
    }

    private static IEnumerable<Figure> WithCowVolume(HouseArguments arguments, long bytes, string what)
    {
        var path = Path.Combine(arguments.Scratch, $"spc-bench-{Environment.ProcessId}.cow");
        try
        {
            using var cache = new PageCache(new PageCacheOptions { CapacityBytes = bytes + (bytes / 4) + (64 << 20) });
            using var engine = CowVolume.Create(path, new CowVolumeOptions { CapacityBytes = (bytes * 2) + (64 << 20) });
            using var volume = engine.Attach(cache);
            using var file = volume.OpenFile(engine.CreateFile("image"), 0);
            var piece = new byte[1 << 20];
            new Random(1).NextBytes(piece);
            for (long offset = 0; offset < bytes; offset += piece.Length)
            {
                file.Write(offset, piece);
            }

            volume.FlushAsync().AsTask().GetAwaiter().GetResult();
            using (file.Clone())
            {
                for (long offset = 0; offset < bytes; offset += RewrittenPage)
                {
                    file.Write(offset, piece.AsSpan(0, 4096));
                }

                volume.FlushAsync().AsTask().GetAwaiter().GetResult();
            }

            var clones = new MappedFile?[InBatch];
            var rounds = Interleaved.Run(arguments.Budget, Lane("of all", file, clones));
            yield return new Figure(Section, what, "CowVolume", rounds.Nanoseconds(0), "ns", new Bar(2000), "in memory; durable with the next commit");
            Dispose(clones);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Figure ByFileSystem(string folder, long bytes, string what)
    {
        var format = new DriveInfo(Path.GetFullPath(folder)).DriveFormat;
        if (format is not ("xfs" or "btrfs"))
        {
            throw new ArgumentException($"{folder} is on {format}, which does not clone files.");
        }

        using var scratch = ScratchFile.OnDisk(folder, bytes);
        var times = new List<double>();
        for (var i = 0; i < 4; i++)
        {
            var copy = $"{scratch.Path}-{i}";
            var start = Stopwatch.GetTimestamp();
            File.Copy(scratch.Path, copy);
            times.Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds);
            using (var file = File.OpenHandle(scratch.Path, FileMode.Open, FileAccess.ReadWrite))
            {
                for (long offset = 0; offset < bytes; offset += RewrittenPage)
                {
                    RandomAccess.Write(file, new byte[4096], offset);
                }

                RandomAccess.FlushToDisk(file);
            }

            File.Delete(copy);
        }

        // The first is that of a file that nobody has rewritten.
        return new Figure(Section, what, $"FICLONE on {format}", Interleaved.Median(times.Skip(1)), "ns", null, "a system call; on the disk");
    }

    private static Lane Lane(string name, MappedFile file, MappedFile?[] clones) => new(
        name, clones.Length,
        _ =>
        {
            for (var i = 0; i < clones.Length; i++)
            {
                clones[i] = file.Clone();
            }
        },
        () => Dispose(clones));

    private static void Dispose(MappedFile?[] clones)
    {
        Array.ForEach(clones, static clone => clone?.Delete());
        Array.Clear(clones);
    }

    private static void ReadAll(MappedFile file)
    {
        var buffer = new byte[1 << 20];
        for (long offset = 0; offset < file.Length; offset += buffer.Length)
        {
            file.Read(offset, buffer);
        }
    }
}
