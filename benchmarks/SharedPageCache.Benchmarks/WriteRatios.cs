using System.Diagnostics;

namespace SharedPageCache.Benchmarks;

/// <summary>
/// The write side, side by side in one process: clones of a file of which every page is dirty beside clones of a small
/// clean one, writes to private pages beside a raw copy into the same arena's size, the first write after a clone.
/// </summary>
internal sealed class WriteRatios
{
    private const int Rounds = 31;
    private const int ClonesInRound = 100;
    private const int Page = 4096;

    private readonly byte[] _buffer = new byte[1 << 20];

    public void Run(long dirtyBytes)
    {
        var limit = dirtyBytes + (dirtyBytes / 8);
        using var cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = (limit * 5 / 2) + (64 << 20), DirtyLimitBytes = limit, DirtyThrottleBytes = limit, DirtyStartBytes = limit,
            DirtyAge = TimeSpan.FromDays(1),
        });
        var engine = new DirtyFile();
        using var volume = cache.AttachVolume(new ZeroCostDevice(dirtyBytes), new VolumeOptions { Placement = engine });
        using var dirty = volume.OpenFile(engine, dirtyBytes);
        for (long offset = 0; offset < dirtyBytes; offset += _buffer.Length)
        {
            dirty.Write(offset, _buffer);
        }

        using var plain = cache.AttachVolume(new ZeroCostDevice(1 << 20));
        using var small = plain.OpenFile(new StraightExtents(0, 1 << 20), 1 << 20);
        small.Read(0, _buffer);
        Console.WriteLine($"{cache.GetStatistics().DirtyBytes >> 20} MiB dirty, {Environment.ProcessorCount} cores, {DateTime.UtcNow:yyyy-MM-dd}");
        Clones(small, dirty, dirtyBytes);
        var figures = cache.GetStatistics();
        Console.WriteLine($"device writes {figures.DeviceWrites}, placements {engine.Placements}, dirty {figures.DirtyBytes >> 20} MiB after the clones");

        // Clones that were closed dirty are to be written back, and so belong to their family until they are: another file.
        using var other = volume.OpenFile(new DirtyFile(), dirtyBytes / 16);
        for (long offset = 0; offset < dirtyBytes / 16; offset += _buffer.Length)
        {
            other.Write(offset, _buffer);
        }

        PrivateWrites(other, dirtyBytes / 16);
        FirstWrites(other, dirtyBytes / 16);
    }

    /// <summary>Each clone is timed alone, the clock included; the two kinds in turn.</summary>
    private static void Clones(MappedFile small, MappedFile dirty, long dirtyBytes)
    {
        Round(small);
        Round(dirty);
        var rounds = new List<(double Clean, double Dirty, double Bytes)>();
        for (var i = 0; i < Rounds; i++)
        {
            var clean = Round(small);
            var (nanoseconds, bytes) = Round(dirty);
            rounds.Add((clean.Nanoseconds, nanoseconds, bytes));
        }

        Line("Clone of a clean file of 1 MiB", Median(rounds.Select(static round => round.Clean)), "");
        Line(
            $"Clone of a dirty file of {dirtyBytes >> 20} MiB", Median(rounds.Select(static round => round.Dirty)),
            $"{Median(rounds.Select(static round => round.Dirty / round.Clean)):0.00} x the clean one, {Median(rounds.Select(static round => round.Bytes)):0} B");
    }

    private static (double Nanoseconds, double Bytes) Round(MappedFile file)
    {
        var clones = new MappedFile[ClonesInRound];
        var times = new double[ClonesInRound];
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < clones.Length; i++)
        {
            var start = Stopwatch.GetTimestamp();
            clones[i] = file.Clone();
            times[i] = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
        }

        var bytes = (double)(GC.GetAllocatedBytesForCurrentThread() - before) / clones.Length;
        Array.ForEach(clones, static clone => clone.Dispose());
        Array.Sort(times);
        return (times[times.Length / 2], bytes);
    }

    private void PrivateWrites(MappedFile file, long bytes)
    {
        using var raw = new RawCopy((int)(bytes / Page), Page);
        var random = new Random(7);
        var order = Enumerable.Range(0, 20_000).Select(_ => random.Next((int)(bytes / Page))).ToArray();
        var rounds = new List<(double Raw, double Ours)>();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Rounds; i++)
        {
            var start = Stopwatch.GetTimestamp();
            foreach (var page in order)
            {
                raw.Write(page, _buffer.AsSpan(0, Page));
            }

            var copied = Stopwatch.GetElapsedTime(start).TotalNanoseconds / order.Length;
            start = Stopwatch.GetTimestamp();
            foreach (var page in order)
            {
                file.Write((long)page * Page, _buffer.AsSpan(0, Page));
            }

            rounds.Add((copied, Stopwatch.GetElapsedTime(start).TotalNanoseconds / order.Length));
        }

        var allocated = (double)(GC.GetAllocatedBytesForCurrentThread() - before) / Rounds / order.Length;
        Line(
            "Write of 4 KiB to a private dirty page", Median(rounds.Select(static round => round.Ours)),
            $"{Median(rounds.Select(static round => round.Ours / round.Raw)):0.00} x a raw copy, {allocated:0.0} B");
    }

    private void FirstWrites(MappedFile file, long bytes)
    {
        var times = new List<double>();
        var allocated = new List<double>();
        for (var i = 0; i < 21; i++)
        {
            var clone = file.Clone();
            var before = GC.GetAllocatedBytesForCurrentThread();
            var start = Stopwatch.GetTimestamp();
            clone.Write((long)i * 7919 * Page % bytes, _buffer.AsSpan(0, Page));
            times.Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds);
            allocated.Add(GC.GetAllocatedBytesForCurrentThread() - before);
            clone.Dispose();
        }

        Line("First write after a clone", Median(times), $"{Median(allocated):0} B of nodes");
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static void Line(string what, double nanoseconds, string note) => Console.WriteLine($"{what,-44}{nanoseconds,12:0.0} ns   {note}");
}
