using System.Diagnostics;
using System.Numerics;
using SharedPageCache.Eviction;
using SharedPageCache.Writeback;

namespace SharedPageCache;

/// <summary>How a <see cref="PageCache"/> is built. Read once, by the constructor.</summary>
[DebuggerDisplay("{Name,nq}: {CapacityBytes} bytes, pages of {PageSize}, {Policy}")]
public sealed class PageCacheOptions
{
    /// <summary>The smallest page size in bytes.</summary>
    public const int MinPageSize = 512;

    /// <summary>The largest page size in bytes.</summary>
    public const int MaxPageSize = 65_536;

    /// <summary>The name of the cache in dumps and metrics.</summary>
    public string Name { get; set; } = "default";

    /// <summary>
    /// The memory limit in bytes: pages, their tables, and the page trees together. Default 256 MiB. Pages use what the
    /// metadata leaves: about 95 % with pages of 4 KiB.
    /// </summary>
    public long CapacityBytes { get; set; } = 256L << 20;

    /// <summary>
    /// The page size in bytes: a power of two, 512 to 65,536. Default 4,096. It may differ from the block size of a
    /// device; best is a page no smaller than the block and no larger than the usual extent.
    /// </summary>
    public int PageSize { get; set; } = 4096;

    /// <summary>Which pages are given up first. Default <see cref="EvictionPolicy.WindowTinyLfu"/>.</summary>
    public EvictionPolicy Policy { get; set; } = EvictionPolicy.WindowTinyLfu;

    /// <summary>
    /// Whether pages that several files use are kept longer than their uses alone say. Default <see cref="SharerWeight.None"/>.
    /// </summary>
    public SharerWeight SharerWeight { get; set; } = SharerWeight.None;

    /// <summary>
    /// Whether to ask the system for huge pages behind the frames. Default true; where the platform has none it is
    /// ignored. Worth a third of the time of a random hit.
    /// </summary>
    public bool HugePages { get; set; } = true;

    /// <summary>
    /// The most pages that a sequential reader is ahead of itself, 0 to switch read-ahead off. Default 32. Read-ahead
    /// begins when faults follow each other and doubles up to this.
    /// </summary>
    public int MaxReadAheadPages { get; set; } = 32;

    /// <summary>
    /// How long written pages stay in memory before the background writer takes them, unless there are many. Default 30
    /// seconds; 10 milliseconds to a day.
    /// </summary>
    public TimeSpan DirtyAge { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The dirty bytes of a volume at which the background writer begins. Default a quarter of <see cref="DirtyLimitBytes"/>.
    /// </summary>
    public long? DirtyStartBytes { get; set; }

    /// <summary>
    /// The dirty bytes of all volumes beyond which writers are slowed: they wait for a share of what is written back, from
    /// none here to all at <see cref="DirtyLimitBytes"/>. Default halfway between start and limit; the limit itself for none.
    /// </summary>
    public long? DirtyThrottleBytes { get; set; }

    /// <summary>
    /// The most dirty bytes of all volumes: beyond, writers wait for write-back. Default two fifths of the pages, at most half of
    /// them. A volume may always have its part of a quarter of this, whatever the others have.
    /// </summary>
    public long? DirtyLimitBytes { get; set; }

    /// <summary>The age of a volume's oldest dirty page beyond which its writers are slowed. Default none.</summary>
    public TimeSpan? DirtyThrottleAge { get; set; }

    /// <summary>The age of a volume's oldest dirty page beyond which its writers wait for write-back. Default none.</summary>
    public TimeSpan? DirtyLimitAge { get; set; }

    /// <summary>
    /// Checked mode, for debug builds of engines: finds leases that are given back twice, used after their end or leaked, and
    /// memory that is written by who may not, and says whose it was. Default false, and then without any cost. Costs time at each
    /// load, eviction and lease, not at hits; see <c>docs/options.md</c>.
    /// </summary>
    /// <remarks>
    /// What is found is told to <see cref="CheckedReport"/>. A caller who is at fault, or who would use what is damaged, gets an
    /// exception as well: <see cref="InvalidOperationException"/> for a second release, <see cref="ObjectDisposedException"/> for a
    /// lease that has ended, <see cref="CacheCorruptionException"/> for a page that has changed. Once overwritten memory was
    /// found <see cref="PageCache.Verify"/> fails for good.
    /// </remarks>
    public bool Checked { get; set; }

    /// <summary>
    /// Is told what checked mode finds, at once and on the thread that finds it: a caller's, a background writer's, or the
    /// finalizer's. Default none.
    /// </summary>
    /// <remarks>
    /// Runs under locks of the cache: it may note and print, and must not call the cache. What it throws is swallowed.
    /// </remarks>
    public Action<CacheMisuse>? CheckedReport { get; set; }

    /// <summary>The clock by which dirty pages age. Default the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>An exact number of frames instead of a capacity, for tests and replays.</summary>
    internal int? ExactFrameCount { get; set; }

    /// <summary>The generation in which frames begin: tests begin shortly before the last one.</summary>
    internal int FirstGeneration { get; set; } = 1;

    /// <summary>How many numbers volumes may have: tests give few, so that they are given out again.</summary>
    internal int VolumeNumbers { get; set; } = Frames.BlockIdentity.MaxVolume + 1;

    /// <summary>Says what is wrong, with the number that would be right.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public void Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Name, nameof(Name));
        if (PageSize is < MinPageSize or > MaxPageSize || !BitOperations.IsPow2(PageSize))
        {
            var nearest = BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(PageSize, MinPageSize, MaxPageSize));
            throw new ArgumentOutOfRangeException(
                nameof(PageSize), PageSize, $"PageSize must be a power of two from {MinPageSize} to {MaxPageSize}; {PageSize} is not, {nearest} would be.");
        }

        if (!Enum.IsDefined(Policy))
        {
            throw new ArgumentOutOfRangeException(
                nameof(Policy), Policy, $"Policy must be one of {string.Join(", ", Enum.GetNames<EvictionPolicy>())}.");
        }

        if (!Enum.IsDefined(SharerWeight))
        {
            throw new ArgumentOutOfRangeException(
                nameof(SharerWeight), SharerWeight, $"SharerWeight must be one of {string.Join(", ", Enum.GetNames<SharerWeight>())}.");
        }

        if (MaxReadAheadPages is < 0 or > 1024)
        {
            throw new ArgumentOutOfRangeException(
                nameof(MaxReadAheadPages), MaxReadAheadPages, "MaxReadAheadPages must be 0 (off) to 1024.");
        }

        ArgumentNullException.ThrowIfNull(TimeProvider);
        if (DirtyAge < TimeSpan.FromMilliseconds(10) || DirtyAge > TimeSpan.FromDays(1))
        {
            throw new ArgumentOutOfRangeException(
                nameof(DirtyAge), DirtyAge, "DirtyAge must be 10 milliseconds to a day.");
        }

        LimitsOf(Plan());
    }

    internal MemoryPlan Plan() =>
        ExactFrameCount is { } frames ? MemoryPlan.WithFrames(frames, PageSize) : MemoryPlan.Of(CapacityBytes, PageSize);

    /// <summary>The limits on dirty pages, all of them said or computed, and compared.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not in order, or too many.</exception>
    internal WritebackLimits LimitsOf(MemoryPlan plan)
    {
        var limit = DirtyLimitBytes is { } most ? PagesOf(most) : plan.DirtyLimit;
        var half = Math.Max(1, (plan.FrameCount - plan.Reserve) / 2);
        Require(limit >= 1 && limit <= half, nameof(DirtyLimitBytes), DirtyLimitBytes, $"a page to half of the cache: {PageSize} to {(long)half * PageSize} bytes");
        var throttle = DirtyThrottleBytes is { } slow ? PagesOf(slow) : (long?)null;
        Require(throttle is null || (throttle >= 1 && throttle <= limit), nameof(DirtyThrottleBytes), DirtyThrottleBytes, $"{PageSize} to {limit * PageSize} bytes, the limit");
        var start = DirtyStartBytes is { } first ? PagesOf(first) : Math.Max(1, Math.Min(limit / 4, throttle ?? limit));
        Require(start >= 1 && start <= (throttle ?? limit), nameof(DirtyStartBytes), DirtyStartBytes, $"{PageSize} to {(throttle ?? limit) * PageSize} bytes, where writers are slowed or stopped");
        Require(DirtyThrottleAge is not { } slowAge || slowAge >= DirtyAge, nameof(DirtyThrottleAge), DirtyThrottleAge, $"no less than DirtyAge, {DirtyAge}");
        Require(DirtyLimitAge is not { } mostAge || mostAge >= (DirtyThrottleAge ?? DirtyAge), nameof(DirtyLimitAge), DirtyLimitAge, $"no less than DirtyThrottleAge and DirtyAge, {DirtyThrottleAge ?? DirtyAge}");
        return new WritebackLimits((int)start, (int)(throttle ?? (start + limit) / 2), (int)limit, plan.MostLingering, DirtyAge, DirtyThrottleAge, DirtyLimitAge);
    }

    private long PagesOf(long bytes) => bytes / PageSize;

    private static void Require(bool isRight, string name, object? value, string allowed)
    {
        if (!isRight)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be {allowed}.");
        }
    }

    internal PageCacheOptions Copy() => (PageCacheOptions)MemberwiseClone();
}
