using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>A cache with one file over a device that costs nothing, all of it in memory.</summary>
internal sealed class Stage : IDisposable
{
    /// <param name="fileBytes">The length of the file.</param>
    /// <param name="pageSize">The page size.</param>
    public Stage(long fileBytes, int pageSize = 4096)
    {
        Cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = fileBytes + (fileBytes / Math.Min(8, pageSize / 64)) + (16 << 20), PageSize = pageSize, MaxReadAheadPages = 0,
        });
        Volume = Cache.AttachVolume(new ZeroCostDevice(fileBytes));
        File = Volume.OpenFile(new StraightExtents(0, fileBytes), fileBytes);

        // In random order: where a page lies in the arena says nothing about its neighbour, as with the raw copy.
        var order = new int[(int)(fileBytes / pageSize)];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        new Random(5).Shuffle(order);
        Span<byte> buffer = stackalloc byte[8];
        foreach (var page in order)
        {
            File.Read((long)page * pageSize, buffer);
            File.TryRead((long)page * pageSize, buffer, out _);
        }

        if (Cache.GetStatistics().ResidentBytes < fileBytes)
        {
            throw new InvalidOperationException("The file is not in memory as a whole.");
        }
    }

    public PageCache Cache { get; }

    public CachedVolume Volume { get; }

    public MappedFile File { get; }

    public void Dispose()
    {
        File.Dispose();
        Volume.Dispose();
        Cache.Dispose();
    }
}
