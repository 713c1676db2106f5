using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>Family number -> family: what a reverse map record leads to. Numbers are given out again.</summary>
/// <remarks>
/// Look-ups are lock-free: the array is replaced as a whole when it grows, entries are stored with release. A number that
/// was given out again leads a stale record to a stranger, whose slots then simply do not hold the frame.
/// </remarks>
internal sealed class FamilyTable
{
    private readonly Stack<int> _freeIds = new();
    private TinyLock _lock;
    private LeafFamily?[] _families = new LeafFamily?[64];
    private long _listBytes;
    private int _used;

    /// <summary>The table, and the lists of families that have more than one leaf or adopter, in bytes.</summary>
    public long Bytes => Atomic.LoadAcquire(ref _families!)!.Length * 8L + Atomic.LoadAcquire(ref _listBytes);

    /// <summary>Numbers given out so far, those that came back included.</summary>
    public int Numbers => Atomic.LoadAcquire(ref _used);

    public void AddListBytes(long bytes) => Atomic.Add(ref _listBytes, bytes);

    public LeafFamily Create()
    {
        var family = new LeafFamily(this);
        _lock.Enter();
        try
        {
            if (!_freeIds.TryPop(out var id))
            {
                id = _used++;
                if (id == _families.Length)
                {
                    var larger = new LeafFamily?[_families.Length * 2];
                    _families.CopyTo(larger, 0);
                    Atomic.StoreRelease(ref _families!, larger);
                }
            }

            family.Id = id;
            Atomic.StoreRelease(ref _families[id], family);
        }
        finally
        {
            _lock.Exit();
        }

        return family;
    }

    public LeafFamily? Find(int id)
    {
        var families = Atomic.LoadAcquire(ref _families!)!;
        return (uint)id < (uint)families.Length ? Atomic.LoadAcquire(ref families[id]) : null;
    }

    public void Release(LeafFamily family)
    {
        _lock.Enter();
        try
        {
            if (_families[family.Id] == family)
            {
                Atomic.StoreRelease(ref _families[family.Id], null);
                _freeIds.Push(family.Id);
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Leaves of the next families from a number on, appended to a list. Begins again at the end.</summary>
    /// <returns>The number to go on from.</returns>
    public int CopyLeavesTo(List<Leaf> leaves, int first, int families)
    {
        var all = Atomic.LoadAcquire(ref _families!)!;
        var used = Math.Min(Numbers, all.Length);
        var id = first < used ? first : 0;
        var end = Math.Min(used, id + families);
        for (; id < end; id++)
        {
            Atomic.LoadAcquire(ref all[id])?.CopyLeavesTo(leaves);
        }

        return id < used ? id : 0;
    }

    /// <summary>All leaves that are reachable now. For sweeps and verification; costs in proportion to the leaves.</summary>
    public List<Leaf> AllLeaves()
    {
        var leaves = new List<Leaf>();
        var families = Atomic.LoadAcquire(ref _families!)!;
        for (var id = 0; id < families.Length; id++)
        {
            Atomic.LoadAcquire(ref families[id])?.CopyLeavesTo(leaves);
        }

        return leaves;
    }
}
