using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// Region of blocks -> families whose leaves map blocks of it: where a reverse query by block range begins, also for
/// pages that are not resident. A contiguous window is in one or two regions.
/// </summary>
/// <remarks>
/// Entries are family numbers, which may be given out again: who follows one compares the leaf's runs. A closed family is
/// taken out; a list that has doubled throws out the numbers that lead nowhere, and an index that has doubled the regions
/// that nobody maps. Guarded by one lock; leaves are made once for each window.
/// </remarks>
internal sealed class RegionIndex(FamilyTable families, int pageShift)
{
    /// <summary>A dictionary's entry, the list, and its first array.</summary>
    private const int RegionBytes = 160;

    private readonly Dictionary<long, Entry> _regions = [];
    private TinyLock _lock;
    private long _entries;
    private long _regionCount;
    private int _compactAt = 256;

    /// <summary>An estimate of the index's memory in bytes.</summary>
    public long Bytes => Atomic.LoadAcquire(ref _entries) * 8 + Atomic.LoadAcquire(ref _regionCount) * RegionBytes;

    public void Add(Leaf leaf) => ForEachRegion(leaf.Runs, pageShift, region => Add(region, leaf.Family.Id));

    /// <summary>Strikes the family of a leaf off, which is closed: nobody adds it again.</summary>
    public void Remove(Leaf leaf) => ForEachRegion(leaf.Runs, pageShift, region => Remove(region, leaf.Family.Id));

    /// <summary>The families that map blocks of a range of regions, each once.</summary>
    public HashSet<int> FamiliesOf(long firstRegion, long lastRegion)
    {
        var ids = new HashSet<int>();
        _lock.Enter();
        try
        {
            if (lastRegion - firstRegion < _regions.Count)
            {
                for (var region = firstRegion; region <= lastRegion; region++)
                {
                    if (_regions.TryGetValue(region, out var entry))
                    {
                        ids.UnionWith(entry.Families);
                    }
                }
            }
            else
            {
                foreach (var (region, entry) in _regions)
                {
                    if (region >= firstRegion && region <= lastRegion)
                    {
                        ids.UnionWith(entry.Families);
                    }
                }
            }
        }
        finally
        {
            _lock.Exit();
        }

        return ids;
    }

    /// <summary>The families that were noted last for a region, at most so many, appended to a list; a few may be there twice.</summary>
    public void CopyNewestTo(List<int> ids, long region, int most)
    {
        _lock.Enter();
        if (_regions.TryGetValue(region, out var entry))
        {
            var count = Math.Min(most, entry.Families.Count);
            ids.AddRange(entry.Families.GetRange(entry.Families.Count - count, count));
        }

        _lock.Exit();
    }

    private static void ForEachRegion(WindowRuns runs, int pageShift, Action<long> visit)
    {
        var last = -1L;
        foreach (var run in runs)
        {
            if (run.IsOpaque)
            {
                continue;
            }

            var to = RegionClock.RegionOf(run.Physical + run.Length - 1 >> pageShift);
            for (var region = RegionClock.RegionOf(run.Physical >> pageShift); region <= to; region++)
            {
                if (region != last)
                {
                    visit(region);
                    last = region;
                }
            }
        }
    }

    private void Add(long region, int family)
    {
        _lock.Enter();
        try
        {
            if (!_regions.TryGetValue(region, out var entry))
            {
                if (_regions.Count >= _compactAt)
                {
                    CompactAll();
                }

                _regions.Add(region, entry = new Entry());
                Atomic.StoreRelease(ref _regionCount, _regions.Count);
            }

            if (entry.Families.Count > 0 && entry.Families[^1] == family)
            {
                return;
            }

            entry.Families.Add(family);
            Atomic.Add(ref _entries, 1);
            if (entry.Families.Count >= entry.CompactAt)
            {
                Compact(entry);
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    private void Remove(long region, int family)
    {
        _lock.Enter();
        try
        {
            if (_regions.TryGetValue(region, out var entry))
            {
                Atomic.Add(ref _entries, -entry.Families.RemoveAll(known => known == family));
                if (entry.Families.Count == 0)
                {
                    _regions.Remove(region);
                    Atomic.StoreRelease(ref _regionCount, _regions.Count);
                }
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    private void CompactAll()
    {
        foreach (var (region, entry) in _regions)
        {
            Compact(entry);
            if (entry.Families.Count == 0)
            {
                _regions.Remove(region);
            }
        }

        _compactAt = Math.Max(256, _regions.Count * 2);
    }

    private void Compact(Entry entry)
    {
        var before = entry.Families.Count;
        var live = entry.Families.Distinct().Where(id => families.Find(id) is not null).ToList();
        entry.Families = live;
        entry.CompactAt = Math.Max(16, live.Count * 2);
        Atomic.Add(ref _entries, live.Count - before);
    }

    private sealed class Entry
    {
        public List<int> Families = new(2);
        public int CompactAt = 16;
    }
}
