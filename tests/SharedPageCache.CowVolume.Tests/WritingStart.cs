namespace SharedPageCache.Cow.Tests;

/// <summary>The start with writing of README.md: what stands between the markers stands there word for word.</summary>
public static class WritingStart
{
    public static async Task<PageCacheStatistics> RunAsync(PageCache cache, string path)
    {
        // <writing>
        using var volume = CowVolume.Create(path);                  // a copy-on-write engine in one file
        await using var attached = volume.Attach(cache);            // writes back what is dirty before it goes
        using var golden = attached.OpenFile(volume.CreateFile("golden"), length: 0);

        golden.Write(0, "a gigabyte or two"u8);                     // in memory; the file grows
        using var clone = golden.Clone();                           // while it is dirty: no flush, no copy, no wait
        volume.Link((CowFile)clone.Extents, "clone");
        clone.Write(2, "terabyte"u8);                               // copies the page: golden does not see it
        golden.Write(2, "megabyte"u8);                              // nor does the clone see this

        await attached.FlushAsync();                                // durable: both files, each page written once
        // </writing>

        return cache.GetStatistics();
    }
}
