namespace SharedPageCache.HitRate;

/// <summary>
/// A synthetic trace of clones: <see cref="Clones"/> clones of one trace take turns, each beginning at another part of it. A tenth of
/// the pages, chosen by a hash, is each clone's own; the rest lies in common blocks.
/// </summary>
/// <remarks>
/// Sent through a real cache in three ways: the clones as they are; as they are with sharers that weigh; and each clone as a file of its own
/// that has all its blocks to itself, which is what a cache that is keyed by file and offset makes of clones. All three have the
/// same frames for all clones together.
/// </remarks>
internal static class CloneReplay
{
    public const int Clones = 4;
    private const int PageSize = PageCacheOptions.MinPageSize;

    /// <summary>Whether each clone has a block of its own for a page.</summary>
    public static bool IsPrivate(long page) => (ulong)page * 0x9E37_79B9_7F4A_7C15 >> 32 is var mixed && (uint)mixed % 10 == 0;

    /// <summary>Replays in one way.</summary>
    /// <param name="trace">The trace that each clone follows.</param>
    /// <param name="cachePages">How many pages the cache holds, for all clones together.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="isShared">Whether common blocks are known as such.</param>
    /// <param name="weight">How sharers weigh.</param>
    /// <returns>The share of requests that found their page resident.</returns>
    public static double HitRatio(Trace trace, int cachePages, EvictionPolicy policy, bool isShared, SharerWeight weight)
    {
        using var cache = Replay.MakeCache(trace, cachePages, policy, weight);
        BlankDevice device = new((Clones + 1L) * trace.PageCount * PageSize);
        using var volume = cache.AttachVolume(device);
        var length = (long)trace.PageCount * PageSize;
        var files = Enumerable.Range(0, Clones)
            .Select(clone => volume.OpenFile(new CloneMap(clone, trace.PageCount, PageSize, isShared), length)).ToArray();
        Span<byte> start = stackalloc byte[8];
        var requests = trace.Requests;
        for (var i = 0; i < requests.Length; i++)
        {
            for (var clone = 0; clone < Clones; clone++)
            {
                var page = requests[(i + ((long)clone * requests.Length / Clones)) % requests.Length];
                if (files[clone].Read((long)page * PageSize, start) != start.Length)
                {
                    throw new InvalidDataException($"Page {page} of clone {clone} of {trace.Name} was not read.");
                }
            }
        }

        Replay.CheckCounts(trace, cachePages, device, cache.GetStatistics());
        cache.Verify();
        Array.ForEach(files, file => file.Dispose());
        return 1 - ((double)device.PagesRead(PageSize) / ((double)Clones * requests.Length));
    }
}
