using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Memory;

namespace SharedPageCache.Diagnostics;

/// <summary>The parts of checked mode (the option of that name), which a cache has or has not.</summary>
internal sealed class CheckedMode
{
    public CheckedMode(FrameTable frames, Arena arena, VolumeList volumes, Action<CacheMisuse>? listener)
    {
        Reports = new MisuseReports(listener);
        Holders = new HolderTable(frames.Count);
        Guard = new FrameGuard(
            frames, arena, Reports, identity => $"block {identity.Block} of volume '{volumes.Find(identity.Volume)?.Name ?? "(detached)"}'",
            Holders.LastOf);
        Quarantine = new Quarantine(Quarantine.DepthFor(frames.Count));
    }

    public MisuseReports Reports { get; }

    public FrameGuard Guard { get; }

    public Quarantine Quarantine { get; }

    public HolderTable Holders { get; }
}
