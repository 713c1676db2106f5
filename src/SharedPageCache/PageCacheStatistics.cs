namespace SharedPageCache;

/// <summary>
/// The figures of a cache at one moment. All are kept as they change: taking them costs the same whatever the cache holds.
/// </summary>
public readonly record struct PageCacheStatistics
{
    /// <summary>The memory limit in bytes.</summary>
    public long CapacityBytes { get; init; }

    /// <summary>The page size in bytes.</summary>
    public int PageSize { get; init; }

    /// <summary>All frames of the cache.</summary>
    public long FrameCount { get; init; }

    /// <summary>The lengths of all open files added up, in bytes: what the files show.</summary>
    public long LogicalBytes { get; init; }

    /// <summary>Bytes of frames that hold a page, or are being loaded.</summary>
    public long ResidentBytes { get; init; }

    /// <summary>
    /// Bytes that caches of one copy a file would hold in addition: for each resident page, the files that have really
    /// used it, less one. Clones that nobody read add nothing. A lower bound where the page table's leaves were
    /// reclaimed between a file's uses.
    /// </summary>
    public long SavedBytes { get; init; }

    /// <summary>
    /// Bytes of headers, tables, page trees, indexes and reverse map records. Tree nodes that the cache has not itself
    /// taken out of the trees count until the garbage collector has taken them.
    /// </summary>
    public long MetadataBytes { get; init; }

    /// <summary>
    /// Bytes of tree nodes that the cache has taken out of the trees and the garbage collector has not taken yet. They come
    /// beside <see cref="MetadataBytes"/>, and beside the limit.
    /// </summary>
    public long UncollectedBytes { get; init; }

    /// <summary>Pages read or leased from memory without a fault.</summary>
    public long Hits { get; init; }

    /// <summary>Faults that found their page in memory by its block: no I/O.</summary>
    public long MinorFaults { get; init; }

    /// <summary>Faults that had to read the device.</summary>
    public long MajorFaults { get; init; }

    /// <summary>Faults that waited for somebody else's load instead of reading the device again.</summary>
    public long LoadsCoalesced { get; init; }

    /// <summary>
    /// Pages that a read or lease waited for the device for: loaded for it, loaded for somebody else meanwhile, or read
    /// around the cache. One fault may bring several pages.
    /// </summary>
    public long Misses { get; init; }

    /// <summary>Bytes that were written and are not on a device yet.</summary>
    public long DirtyBytes { get; init; }

    /// <summary>Pages written to devices, each time it was written.</summary>
    public long PagesWritten { get; init; }

    /// <summary>Write calls of devices.</summary>
    public long DeviceWrites { get; init; }

    /// <summary>Runs that engines were asked to publish, and did.</summary>
    public long RunsPublished { get; init; }

    /// <summary>Pages whose write-back failed; each attempt counts.</summary>
    public long WritebackFailures { get; init; }

    /// <summary>Writes that were slowed because much was dirty: they waited for a share of what is written back.</summary>
    public long WritesThrottled { get; init; }

    /// <summary>Pages whose content was copied for a write, because somebody else still shows, leases or writes the old one.</summary>
    public long PagesCopied { get; init; }

    /// <summary>Clean pages that were written without a copy: nobody else showed them, so their frames were taken over.</summary>
    public long PagesTakenOver { get; init; }

    /// <summary>Loads that failed.</summary>
    public long LoadFailures { get; init; }

    /// <summary>Calls of the devices' read.</summary>
    public long DeviceReads { get; init; }

    /// <summary>Pages that those calls were to bring.</summary>
    public long DevicePagesRead { get; init; }

    /// <summary>Pages that were loaded before anybody asked for them.</summary>
    public long PagesReadAhead { get; init; }

    /// <summary>Pages read past a cache in which no frame was to be had.</summary>
    public long ReadsAround { get; init; }

    /// <summary>Pages that were evicted.</summary>
    public long Evictions { get; init; }

    /// <summary>How often a page was spared for those who share it (<see cref="PageCacheOptions.SharerWeight"/>).</summary>
    public long PagesSpared { get; init; }

    /// <summary>Pages that were dropped because their blocks were discarded.</summary>
    public long PagesDiscarded { get; init; }

    /// <summary>
    /// Frames charged to leases: at least the frames that leases hold now. Frames of ended leases are taken off when the
    /// limit on leases is approached.
    /// </summary>
    public long LeasedFrames { get; init; }

    /// <summary>The most frames that leases may hold together.</summary>
    public long LeaseLimit { get; init; }

    /// <summary>Heap leases that were collected without having been disposed.</summary>
    public long LeakedLeases { get; init; }

    /// <summary>Open files.</summary>
    public long OpenFiles { get; init; }

    /// <summary>Leaves of all page trees, those not yet collected included.</summary>
    public long Leaves { get; init; }

    /// <summary>The share of pages read or leased that needed no wait for the device, 0 to 1; 0 when nothing was read.</summary>
    public double HitRatio =>
        Hits + MinorFaults + Misses is var all and > 0 ? (Hits + MinorFaults) / (double)all : 0;
}
