using SharedPageCache.Writeback;

namespace SharedPageCache.Eviction;

/// <summary>
/// How a memory limit is divided: frames, their headers and tables, and an allowance for trees. Trees may grow beyond
/// the allowance; frames are then given up for them.
/// </summary>
internal sealed record MemoryPlan
{
    /// <summary>Header, 3/8 of a bucket, sketch of the policy and two flags for each frame.</summary>
    private const int TableBytesPerFrame = 48 + 3 + 6;

    /// <summary>
    /// The fewest frames that a cache can work with: one in reserve, one that is leased, and two for the pages at both ends of a
    /// range that is cloned, which are copied in one step. With fewer, who holds a lease and waits for a file that is being
    /// changed would wait for itself.
    /// </summary>
    public const int FewestFrames = 4;

    private MemoryPlan(long capacityBytes, int pageSize, int frameCount)
    {
        CapacityBytes = capacityBytes;
        PageSize = pageSize;
        FrameCount = frameCount;
        Reserve = frameCount < 16 ? 1 : Math.Max(4, frameCount / 64);
        LeaseLimit = Math.Max(1, (frameCount - Reserve) / 2);
        DirtyLimit = Math.Max(1, (frameCount - Reserve) * 2 / 5);
        MetadataAllowance = Math.Max(0, capacityBytes - (long)frameCount * (pageSize + TableBytesPerFrame));
        MostWithheld = Math.Max(0, frameCount - Reserve - LeaseLimit - LargestStepOf(frameCount, pageSize));
    }

    public long CapacityBytes { get; }

    public int PageSize { get; }

    public int FrameCount { get; }

    /// <summary>Frames that only reads around the cache (and write-back) use.</summary>
    public int Reserve { get; }

    /// <summary>How many frames leases may hold together.</summary>
    public int LeaseLimit { get; }

    /// <summary>The most dirty pages, if the options do not say otherwise.</summary>
    public int DirtyLimit { get; }

    /// <summary>Bytes of trees that cost no frame.</summary>
    public long MetadataAllowance { get; }

    /// <summary>
    /// How many frames may be given up for metadata: what leases leave, but for the frames of one step. Who holds all leases and
    /// writes, or waits for somebody who does, would wait for itself.
    /// </summary>
    public int MostWithheld { get; }

    /// <summary>
    /// How many files may be closed and wait for write-back before it is asked for: an eighth of the room for metadata, at about a kibibyte
    /// each.
    /// </summary>
    public int MostLingering => (int)Math.Clamp((MetadataAllowance + (long)MostWithheld * PageSize) / 8 / 1024, 16, int.MaxValue);

    public long FrameBytes => (long)FrameCount * PageSize;

    /// <summary>Divides a limit.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The limit is too small to work, or too large to address.</exception>
    public static MemoryPlan Of(long capacityBytes, int pageSize)
    {
        // One part in 32 for trees: what a fully resident window costs, eight times over.
        var allowance = Math.Max(LeastAllowance, capacityBytes / 32);
        var frames = (Math.Max(0, capacityBytes) - allowance) / (pageSize + TableBytesPerFrame);
        if (frames < FewestFrames)
        {
            var least = LeastAllowance + FewestFrames * (pageSize + TableBytesPerFrame);
            throw new ArgumentOutOfRangeException(
                nameof(capacityBytes), capacityBytes,
                $"A capacity of {capacityBytes} bytes is too small for pages of {pageSize} bytes: at least {least} bytes are needed.");
        }

        if (frames > MostFrames)
        {
            throw new ArgumentOutOfRangeException(
                nameof(capacityBytes), capacityBytes,
                $"A capacity of {capacityBytes} bytes makes {frames} frames of {pageSize} bytes: at most {MostFrames} can be addressed; take larger pages.");
        }

        return new MemoryPlan(capacityBytes, pageSize, (int)frames);
    }

    /// <summary>A plan with an exact number of frames, for tests and replays.</summary>
    public static MemoryPlan WithFrames(int frameCount, int pageSize) =>
        new(((long)frameCount * (pageSize + TableBytesPerFrame)) + (64L << 20), pageSize, frameCount);

    /// <summary>The most frames that one step takes: a write, or both ends of a range that is cloned.</summary>
    private static int LargestStepOf(int frameCount, int pageSize) => Math.Max(2, WritebackLimits.MostAtomicOf(frameCount, pageSize));

    private const long LeastAllowance = 16 << 10;

    private const long MostFrames = int.MaxValue / 2;
}
