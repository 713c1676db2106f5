using SharedPageCache.Concurrency;
using SharedPageCache.Diagnostics;
using SharedPageCache.Eviction;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Memory;
using SharedPageCache.Physical;
using SharedPageCache.Rmap;
using SharedPageCache.Writeback;

namespace SharedPageCache.Faults;

/// <summary>The rooms below, wired once for one cache: what a fault works with.</summary>
internal sealed class Rooms
{
    public Rooms(
        MemoryPlan plan, bool hugePages, Func<FrameTable, int, IEvictionPolicy> makePolicy, TimeProvider time,
        int firstGeneration = 1, int volumeNumbers = BlockIdentity.MaxVolume + 1, bool sharersWeigh = false, bool isChecked = false, Action<CacheMisuse>? misuseListener = null)
    {
        Time = time;
        Volumes = new VolumeList(volumeNumbers);
        Plan = plan;
        PageShift = System.Numerics.BitOperations.Log2((uint)plan.PageSize);
        Arena = new Arena(plan.FrameCount, plan.PageSize, hugePages);
        Frames = new FrameTable(plan.FrameCount, firstGeneration, countsSpares: sharersWeigh);
        Table = new PhysicalTable(Frames);
        Rmap = new ReverseMap(Frames);
        TouchedFrames = new FrameBits(plan.FrameCount);
        LeasedFrames = new FrameBits(plan.FrameCount);
        Checked = isChecked ? new CheckedMode(Frames, Arena, Volumes, misuseListener) : null;
        Pool = new FramePool(Frames, Arena, Rmap, TouchedFrames, LeasedFrames, Checked?.Guard, Checked?.Quarantine);
        Pool.Fill(first: plan.Reserve);
        var walk = new ReferenceWalk(Rmap, Families, Ledger, PageShift);
        Walk = walk;
        Sharers = new SharerChances(Frames, Rmap, Families);
        Reclaimer = new Reclaimer(
            Frames, Table, makePolicy(Frames, plan.FrameCount - plan.Reserve), walk, Pool, Volumes, sharersWeigh ? Sharers : null);
        Sweeper = new LeafSweeper(Frames, Families, Ledger, Pool, Rmap);
        Supply = new FrameSupply(Pool, Reclaimer, Sweeper, Ledger, new NodeGarbage(Ledger, () => Volumes.OpenFiles, plan.MetadataAllowance / 8, time, NodeGarbage.Collect), Volumes, plan, () => MetadataBytes);
        Quota = new LeaseQuota(Frames, LeasedFrames, plan.LeaseLimit);
        Reader = new PageReader(Frames, Arena, TouchedFrames, Hits, Supply.BalanceIfMoved, PageShift);
    }

    private int _staged;

    public MemoryPlan Plan { get; }

    public int PageShift { get; }

    public int PageSize => Plan.PageSize;

    public Arena Arena { get; }

    public FrameTable Frames { get; }

    public PhysicalTable Table { get; }

    public ReverseMap Rmap { get; }

    public FrameBits TouchedFrames { get; }

    public FrameBits LeasedFrames { get; }

    /// <summary>Checked mode; null if it is off.</summary>
    public CheckedMode? Checked { get; }

    /// <summary>What keeps watch over frames in checked mode.</summary>
    public FrameGuard? Guard => Checked?.Guard;

    public FramePool Pool { get; }

    public ReferenceWalk Walk { get; }

    public SharerChances Sharers { get; }

    public Reclaimer Reclaimer { get; }

    public FrameSupply Supply { get; }

    public LeafSweeper Sweeper { get; }

    public LeaseQuota Quota { get; }

    public PageReader Reader { get; }

    /// <summary>Where those wait who want a lease that cannot be given now.</summary>
    public Turnstile LeaseTurns { get; } = new();

    public ThreadCounter Hits { get; } = new();

    public NodeLedger Ledger { get; } = new();

    public FamilyTable Families { get; } = new();

    public VolumeList Volumes { get; }

    public FaultCounters Counters { get; } = new();

    public WritebackCounters Writeback { get; } = new();

    /// <summary>The dirty pages of all volumes.</summary>
    public DirtyTotal Dirty { get; } = new();

    /// <summary>The clock by which dirty pages age.</summary>
    public TimeProvider Time { get; }

    /// <summary>Frames that hold the content of writes which are not done yet: free by their phase, and owned.</summary>
    public int Staged => Atomic.LoadAcquire(ref _staged);

    public void AddStaged(int frames) => Atomic.Add(ref _staged, frames);

    /// <summary>A number that moves whenever a page comes or goes, or is first used by a file.</summary>
    public long Activity =>
        Counters.MajorFaults.Sum + Counters.MinorFaults.Sum + Counters.DevicePagesRead.Sum + Counters.PagesReadAhead.Sum
        + Counters.PagesDiscarded.Sum + Counters.LoadFailures.Sum + Reclaimer.Evictions + Ledger.TouchMoves
        + Writeback.Activity.Sum;

    /// <summary>Memory of the frame headers and of all tables that are sized with the frames, in bytes.</summary>
    public long FixedMetadataBytes =>
        Frames.Bytes + Table.Bytes + TouchedFrames.Bytes + LeasedFrames.Bytes + Reclaimer.PolicyBytes;

    /// <summary>All metadata in bytes, nodes that are not yet collected included.</summary>
    public long MetadataBytes => FixedMetadataBytes + Supply.ManagedMetadataBytes + Rmap.OverflowBytes + Families.Bytes;
}
