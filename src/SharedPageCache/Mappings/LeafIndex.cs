using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// Finds the leaf of a window by what the window maps: files that were opened independently over the same extents share
/// one leaf. One index a volume.
/// </summary>
/// <remarks>
/// Leaves are held weakly. The hash only finds a candidate; the runs are compared byte by byte. Windows with opaque runs
/// are never listed: their bytes belong to one file.
/// </remarks>
internal sealed class LeafIndex(RegionClock clock, RegionIndex regions, int pageShift)
{
    private readonly Dictionary<ulong, WeakReference<Leaf>> _leaves = [];
    private TinyLock _lock;
    private int _compactAt = 256;

    /// <summary>An estimate of the index's memory in bytes.</summary>
    public long Bytes => Atomic.LoadAcquire(ref _count) * 48L;

    private int _count;

    /// <summary>
    /// The listed leaf of these runs if it is young enough to be trusted, else a new one, which takes its place. The new
    /// leaf of known runs joins the family of the old one. Null if the answer is void by now: ask again.
    /// </summary>
    public Leaf? FindOrAdd(WindowRuns runs, int slotCount, long age, FamilyTable families, NodeLedger ledger)
    {
        if (runs.HasOpaque)
        {
            return Make(runs, slotCount, age, families.Create(), ledger);
        }

        var key = runs.Hash + (ulong)slotCount;
        _lock.Enter();
        try
        {
            Leaf? known = null;
            if (_leaves.TryGetValue(key, out var handle) && handle.TryGetTarget(out known)
                && (known.Slots.Length != slotCount || !known.Runs.Equals(runs)))
            {
                known = null;
            }

            // A younger leaf must not lend its age to an answer that a discard has made void meanwhile. A leaf that is younger
            // than that discard was asked for after it, and listed under this lock: who finds it here sees the discard's tick.
            if (clock.HasChangedSince(age, runs, pageShift))
            {
                return null;
            }

            if (known is { IsDead: false } && !clock.HasChangedSince(known.Age, runs, pageShift))
            {
                return known;
            }

            var family = known is not null && known.Family.TryAdmit() ? known.Family : families.Create();
            var fresh = Make(runs, slotCount, age, family, ledger);
            _leaves[key] = fresh.Self;
            Compact();
            GC.KeepAlive(known);
            return fresh;
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>A leaf that is nobody else's, for an answer that holds for a part of its window only.</summary>
    public Leaf MakeUnlisted(WindowRuns runs, int slotCount, long age, FamilyTable families, NodeLedger ledger) =>
        Make(runs, slotCount, age, families.Create(), ledger);

    /// <summary>Strikes a leaf off that was buried.</summary>
    public void Remove(Leaf leaf)
    {
        var key = leaf.Runs.Hash + (ulong)leaf.Slots.Length;
        _lock.Enter();
        if (_leaves.TryGetValue(key, out var handle) && handle == leaf.Self)
        {
            _leaves.Remove(key);
            Atomic.StoreRelease(ref _count, _leaves.Count);
        }

        _lock.Exit();
    }

    private Leaf Make(WindowRuns runs, int slotCount, long age, LeafFamily family, NodeLedger ledger)
    {
        var leaf = new Leaf(slotCount, runs, age, family, ledger);
        leaf.FillFromRuns(pageShift);
        regions.Add(leaf);
        return leaf;
    }

    private void Compact()
    {
        if (_leaves.Count >= _compactAt)
        {
            foreach (var (key, handle) in _leaves)
            {
                if (!handle.TryGetTarget(out _))
                {
                    _leaves.Remove(key);
                }
            }

            _compactAt = Math.Max(256, _leaves.Count * 2);
        }

        Atomic.StoreRelease(ref _count, _leaves.Count);
    }
}
