using System.Diagnostics;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks;

/// <summary>What checked mode costs: the same calls on two caches that differ in it only, in turn, in one process.</summary>
internal sealed class CheckedRatios
{
    private const int Rounds = 31;
    private const int Calls = 500;
    private const int Page = 4096;
    private const long Capacity = 8 << 20;

    private readonly byte[] _buffer = new byte[Page];

    public void Run()
    {
        Console.WriteLine($"{Capacity >> 20} MiB, pages of {Page}, {Environment.ProcessorCount} cores, {DateTime.UtcNow:yyyy-MM-dd}");
        using var plain = new PageCache(new PageCacheOptions { CapacityBytes = Capacity, MaxReadAheadPages = 0 });
        using var watched = new PageCache(new PageCacheOptions { CapacityBytes = Capacity, MaxReadAheadPages = 0, Checked = true });
        using var off = Open(plain);
        using var on = Open(watched);
        Compare("Hit of 4 KiB", off, on, (file, _) => file.Read(0, _buffer));
        Compare("Load of 4 KiB in place of another page", off, on, (file, i) => file.Read(i * 7919L % (4 * Capacity / Page) * Page, _buffer));
        Compare("TryPin and Dispose", off, on, (file, _) =>
        {
            file.Read(0, _buffer);
            if (file.TryPin(0, out var lease))
            {
                lease.Dispose();
            }
        });
        Compare("PinAsync and Dispose", off, on, static (file, _) => file.PinAsync(0).AsTask().GetAwaiter().GetResult().Dispose());
        plain.Verify();
        watched.Verify();
    }

    private static MappedFile Open(PageCache cache)
    {
        var volume = cache.AttachVolume(new ZeroCostDevice(8 * Capacity));
        return volume.OpenFile(new StraightExtents(0, 8 * Capacity), 8 * Capacity);
    }

    private static void Compare(string what, MappedFile off, MappedFile on, Action<MappedFile, int> call)
    {
        var rounds = new List<(double Off, double On)>();
        for (var round = 0; round < Rounds; round++)
        {
            rounds.Add((Round(off, call, round), Round(on, call, round)));
        }

        Console.WriteLine(
            $"{what,-40}{Median(rounds.Select(static round => round.Off)),10:0} ns off{Median(rounds.Select(static round => round.On)),10:0} ns on"
            + $"   {Median(rounds.Select(static round => round.On / round.Off)):0.00} x");
    }

    private static double Round(MappedFile file, Action<MappedFile, int> call, int round)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < Calls; i++)
        {
            call(file, (round * Calls) + i);
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Calls;
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
