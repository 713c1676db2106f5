namespace SharedPageCache.Tests;

/// <summary>The quick start of README.md: what stands between the markers stands there word for word.</summary>
public static class QuickStart
{
    public static async Task<PageCacheStatistics> RunAsync(IBlockDevice device, IExtentMap extents, long length)
    {
        // <quick-start>
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 64 << 20 });
        using var volume = cache.AttachVolume(device);              // e.g. FileBlockDevice.Open("disk.img")
        using var file = volume.OpenFile(extents, length);          // your engine: file offset -> block run
        using var clone = file.Clone();                             // constant time, whatever the size

        var buffer = new byte[4096];
        int read = await clone.ReadAsync(0, buffer);                // one device read ...
        bool hit = file.TryRead(0, buffer, out _);                  // ... for both: no I/O, no lock, no allocation
        using (var page = await file.PinAsync(0))                   // the cache's own memory, zero copy
        {
            bool same = page.Memory.Span.SequenceEqual(buffer);
            Console.WriteLine($"{read} bytes, hit: {hit}, same: {same}, saved: {cache.GetStatistics().SavedBytes}");
        }
        // </quick-start>

        return cache.GetStatistics();
    }
}
