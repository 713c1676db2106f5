using SharedPageCache.Frames;
using SharedPageCache.Memory;
using SharedPageCache.Physical;

namespace SharedPageCache.Writeback;

/// <summary>What every write-back of a cache works with.</summary>
internal sealed record WritebackServices(
    FrameTable Frames,
    Arena Arena,
    PhysicalTable Table,
    ProvisionalFrames Provisional,
    DeviceWriter Writer,
    IFrameSink Sink,
    ShownBlocks Shown,
    WritebackCounters Counters,
    int PageShift,
    FrameGuard? Guard)
{
    public int PageSize => 1 << PageShift;
}
