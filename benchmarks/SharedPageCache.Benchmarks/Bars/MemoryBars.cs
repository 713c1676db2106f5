using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>What a resident page costs beside its bytes, by what the process has grown.</summary>
internal static class MemoryBars
{
    private const string Section = "Memory";

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        // A rehearsal: what the runtime takes once is not the cache's.
        PerPage(arguments.LargeBytes, 1);
        Settle();
        foreach (var oneIn in (int[])[1, 4])
        {
            yield return PerPage(arguments.LargeBytes, oneIn);
            Settle();
        }
    }

    private static Figure PerPage(long bytes, int oneIn)
    {
        // As many pages as there are frames, spread over windows of which one page in so many is read.
        var pages = bytes >> 12;
        var length = bytes * oneIn;
        Settle();
        var before = ProcessBytes();
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = (pages * 65 / 64 * (4096 + 58) * 32 / 31) + (1 << 20), MaxReadAheadPages = 0 });
        var (file, volume) = Fill(cache, length, oneIn);
        Settle();
        var grown = ProcessBytes() - before;
        var figures = cache.GetStatistics();
        var resident = figures.ResidentBytes >> 12;
        var arena = figures.ResidentBytes;
        var perPage = (double)(grown - arena) / resident;
        volume.Dispose();
        file.Dispose();
        return new Figure(
            Section, $"metadata of a resident page, {(oneIn == 1 ? "windows full" : $"1 page in {oneIn}")}, by the process", "SharedPageCache", perPage, "B",
            new Bar(96), FormattableString.Invariant($"{(double)figures.MetadataBytes / resident:0.0} B booked, {resident} pages, {figures.Evictions} evictions"));
    }

    private static (MappedFile File, CachedVolume Volume) Fill(PageCache cache, long length, int oneIn)
    {
        var volume = cache.AttachVolume(new ZeroCostDevice(length));
        var file = volume.OpenFile(new StraightExtents(0, length), length);
        Span<byte> buffer = stackalloc byte[8];
        for (long offset = 0; offset < length; offset += oneIn << 12)
        {
            file.Read(offset, buffer);
        }

        return (file, volume);
    }

    /// <summary>What the process holds of memory that is its own.</summary>
    private static long ProcessBytes() => long.Parse(
        File.ReadLines("/proc/self/smaps_rollup").First(static line => line.StartsWith("Anonymous:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) << 10;

    private static void Settle()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
    }
}
