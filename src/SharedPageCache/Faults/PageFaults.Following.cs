using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <content>What a long read begins beside the load that it waits for.</content>
internal sealed partial class PageFaults
{
    /// <summary>
    /// The rest of a long read that lies elsewhere on the device is fetched at the same time. The caller holds a page, so an engine
    /// that cannot say its sequence ends this and no more: who reads those pages hears of it.
    /// </summary>
    /// <returns>How many pages that is.</returns>
    private int StartFollowing(FileMapping file, long page, int wanted, LoadManner manner)
    {
        var pages = 0;
        try
        {
            for (var started = 1; wanted > pages && started < MostParallelLoads; started++)
            {
                if (!LeafFinder.TryFind(file, page + pages, out var found)
                    || !TryStartMissing(file, page + pages, found, wanted - pages, manner, out var load))
                {
                    break;
                }

                pages += load.Frames.Count;
            }
        }
        catch (ExtentMapException)
        {
            // As above.
        }

        return pages;
    }
}
