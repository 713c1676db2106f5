using System.Diagnostics;
using System.Numerics;

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

        if (ExactFrameCount is null)
        {
            Eviction.MemoryPlan.Of(CapacityBytes, PageSize);
        }
    }

    internal PageCacheOptions Copy() => (PageCacheOptions)MemberwiseClone();
}
