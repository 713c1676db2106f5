using System.Diagnostics.Metrics;
using SharedPageCache.Concurrency;

namespace SharedPageCache;

/// <summary>
/// The figures of all caches of the process, for whoever listens to their meter: an instrument for each of <see cref="PageCacheStatistics"/> but
/// the page size and the hit ratio, observed when the listener asks. An instrument has the words of the figure in its name.
/// </summary>
/// <remarks>
/// <para>
/// Thread-safe. Nothing is counted for it: a reading costs one look at all figures for each cache and instrument, and a cache that
/// nobody asks about costs a place in a list. Caches are held weakly and leave when they are disposed. The list is never changed, only exchanged for
/// another by compare-and-swap; who has read it with acquire sees a cache that is made whole, and may observe one that is being disposed.
/// </para>
/// <para>
/// Instruments are made with the first cache, outside of all locks and initialisers: each is shown to those who listen already, whose code may wait for
/// somebody who observes. What a listener throws then is no business of who makes a cache.
/// </para>
/// </remarks>
internal static class PageCacheMeter
{
    public const string Name = "SharedPageCache";

    private static readonly Meter Source = new(Name);
    private static WeakReference<CacheEngine>[] _caches = [];
    private static int _isTold;

    /// <summary>The cache is observed from now on.</summary>
    public static void Add(CacheEngine cache)
    {
        Exchange(known => [.. known, new WeakReference<CacheEngine>(cache)]);
        if (Atomic.Exchange(ref _isTold, 1) == 0)
        {
            TellLevels();
            TellCounts();
        }
    }

    /// <summary>The cache is observed no more.</summary>
    public static void Remove(CacheEngine cache) =>
        Exchange(known => known.Where(handle => !handle.TryGetTarget(out var other) || other != cache));

    private static void TellLevels()
    {
        Level("capacity", "By", "The memory limit.", static figures => figures.CapacityBytes);
        Level("frame.count", "{frame}", "All frames.", static figures => figures.FrameCount);
        Level("logical", "By", "The lengths of all open files added up.", static figures => figures.LogicalBytes);
        Level("resident", "By", "Frames that hold a page, or are being loaded.", static figures => figures.ResidentBytes);
        Level("saved", "By", "What caches of one copy a file would hold in addition.", static figures => figures.SavedBytes);
        Level("metadata", "By", "Headers, tables, page trees, indexes and reverse map records.", static figures => figures.MetadataBytes);
        Level("uncollected", "By", "Tree nodes that were taken out and are not collected yet.", static figures => figures.UncollectedBytes);
        Level("dirty", "By", "What was written and is not on a device yet.", static figures => figures.DirtyBytes);
        Level("frames.leased", "{frame}", "Frames charged to leases.", static figures => figures.LeasedFrames);
        Level("lease.limit", "{frame}", "The most frames that leases may hold together.", static figures => figures.LeaseLimit);
        Level("files.open", "{file}", "Open files.", static figures => figures.OpenFiles);
        Level("leaves", "{leaf}", "Leaves of all page trees.", static figures => figures.Leaves);
    }

    private static void TellCounts()
    {
        Count("hits", "{page}", "Pages read or leased from memory without a fault.", static figures => figures.Hits);
        Count("faults.minor", "{fault}", "Faults that found their page in memory by its block.", static figures => figures.MinorFaults);
        Count("faults.major", "{fault}", "Faults that had to read the device.", static figures => figures.MajorFaults);
        Count("misses", "{page}", "Pages that a read or lease waited for the device for.", static figures => figures.Misses);
        Count("loads.coalesced", "{fault}", "Faults that waited for somebody else's load.", static figures => figures.LoadsCoalesced);
        Count("load.failures", "{load}", "Loads that failed.", static figures => figures.LoadFailures);
        Count("device.reads", "{call}", "Calls of the devices' read.", static figures => figures.DeviceReads);
        Count("device.pages_read", "{page}", "Pages that those calls were to bring.", static figures => figures.DevicePagesRead);
        Count("device.writes", "{call}", "Calls of the devices' write.", static figures => figures.DeviceWrites);
        Count("reads_around", "{page}", "Pages read past a cache in which no frame was to be had.", static figures => figures.ReadsAround);
        Count("evictions", "{page}", "Pages that were evicted.", static figures => figures.Evictions);
        Count("pages.read_ahead", "{page}", "Pages that were loaded before anybody asked for them.", static figures => figures.PagesReadAhead);
        Count("pages.spared", "{page}", "How often a page was spared for those who share it.", static figures => figures.PagesSpared);
        Count("pages.discarded", "{page}", "Pages that were dropped because their blocks were discarded.", static figures => figures.PagesDiscarded);
        Count("pages.written", "{page}", "Pages written to devices.", static figures => figures.PagesWritten);
        Count("pages.copied", "{page}", "Pages whose content was copied for a write.", static figures => figures.PagesCopied);
        Count("pages.taken_over", "{page}", "Clean pages that were written without a copy.", static figures => figures.PagesTakenOver);
        Count("runs.published", "{run}", "Runs that engines were asked to publish, and did.", static figures => figures.RunsPublished);
        Count("writeback.failures", "{page}", "Pages whose write-back failed; each attempt counts.", static figures => figures.WritebackFailures);
        Count("writes.throttled", "{write}", "Writes that were slowed because much was dirty.", static figures => figures.WritesThrottled);
        Count("leases.leaked", "{lease}", "Heap leases that were collected without having been disposed.", static figures => figures.LeakedLeases);
    }

    private static void Level(string name, string unit, string description, Func<PageCacheStatistics, long> figure) =>
        Tell(() => Source.CreateObservableUpDownCounter($"sharedpagecache.{name}", () => Observe(figure), unit, description));

    private static void Count(string name, string unit, string description, Func<PageCacheStatistics, long> figure) =>
        Tell(() => Source.CreateObservableCounter($"sharedpagecache.{name}", () => Observe(figure), unit, description));

    private static void Tell(Action make)
    {
        try
        {
            make();
        }
        catch (Exception)
        {
            // A listener's own; the next instrument may be one that it likes.
        }
    }

    /// <summary>Exchanges the list for another, without caches that were forgotten.</summary>
    private static void Exchange(Func<IEnumerable<WeakReference<CacheEngine>>, IEnumerable<WeakReference<CacheEngine>>> change)
    {
        WeakReference<CacheEngine>[] seen;
        do
        {
            seen = Atomic.LoadAcquire(ref _caches!)!;
        }
        while (Atomic.CompareExchange(ref _caches!, [.. change(seen.Where(static handle => handle.TryGetTarget(out _)))], seen) != seen);
    }

    /// <summary>One measurement for each name: caches that have the same one are added up.</summary>
    private static List<Measurement<long>> Observe(Func<PageCacheStatistics, long> figure) =>
        Atomic.LoadAcquire(ref _caches!)!.Select(static handle => handle.TryGetTarget(out var cache) ? cache : null).OfType<CacheEngine>()
            .GroupBy(static cache => cache.Name, cache => figure(cache.Statistics()))
            .Select(static named => new Measurement<long>(
                named.Aggregate(0L, static (sum, one) => unchecked(sum + one)), new KeyValuePair<string, object?>("sharedpagecache.name", named.Key)))
            .ToList();
}
