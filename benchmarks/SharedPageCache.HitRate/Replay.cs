using SharedPageCache.Eviction;

namespace SharedPageCache.HitRate;

/// <summary>
/// Sends a trace through a real cache: real frames, faults and evictions, over a device that costs nothing. Pages are
/// as small as they can be and read-ahead is off, so that a request is one page.
/// </summary>
internal static class Replay
{
    private const int PageSize = PageCacheOptions.MinPageSize;

    /// <summary>The share of requests that found their page resident.</summary>
    /// <param name="trace">The trace.</param>
    /// <param name="cachePages">How many pages the cache holds.</param>
    /// <param name="policy">The policy.</param>
    public static double HitRatio(Trace trace, int cachePages, EvictionPolicy policy)
    {
        using PageCache cache = MakeCache(trace, cachePages, policy, SharerWeight.None);
        BlankDevice device = new((long)trace.PageCount * PageSize);
        using CachedVolume volume = cache.AttachVolume(device);
        using MappedFile file = volume.OpenFile(new StraightMap(device.Length), device.Length);
        Span<byte> start = stackalloc byte[8];
        foreach (int page in trace.Requests)
        {
            if (file.Read((long)page * PageSize, start) != start.Length)
            {
                throw new InvalidDataException($"Page {page} of {trace.Name} was not read.");
            }
        }

        CheckCounts(trace, cachePages, device, cache.GetStatistics());
        cache.Verify();
        return 1 - ((double)device.PagesRead(PageSize) / trace.Requests.Length);
    }

    /// <summary>A cache that holds so many pages.</summary>
    public static PageCache MakeCache(Trace trace, int cachePages, EvictionPolicy policy, SharerWeight weight) => new(new PageCacheOptions
    {
        Name = trace.Name,
        PageSize = PageSize,
        Policy = policy,
        SharerWeight = weight,
        MaxReadAheadPages = 0,
        ExactFrameCount = FrameCountFor(cachePages),
    });

    /// <summary>The replay counts what the device was asked for; the cache's own counts must say the same.</summary>
    public static void CheckCounts(Trace trace, int cachePages, BlankDevice device, PageCacheStatistics statistics)
    {
        long misses = device.PagesRead(PageSize);
        if (statistics.ReadsAround != 0
            || statistics.MajorFaults != misses
            || statistics.Evictions != Math.Max(0, misses - cachePages)
            || statistics.ResidentBytes != Math.Min(misses, cachePages) * PageSize)
        {
            throw new InvalidDataException(
                $"{trace.Name} at {cachePages} pages: the device was asked for {misses} pages, "
                + $"but the cache counts {statistics}");
        }
    }

    /// <summary>The cache keeps some frames in reserve for reads around it; these hold no page.</summary>
    private static int FrameCountFor(int cachePages)
    {
        int frameCount = cachePages + 1;
        while (frameCount - MemoryPlan.WithFrames(frameCount, PageSize).Reserve < cachePages)
        {
            frameCount++;
        }

        return frameCount;
    }
}
