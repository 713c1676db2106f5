using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// All copies of one window of page references, and who may reach them: the family is what a frame's record names, so
/// that neither a clone nor a copy of a leaf costs a record for each page.
/// </summary>
/// <remarks>
/// Leaves are held weakly, adopters (clone families with the window at which they show a leaf) for as long as one of
/// their files is open; both lists compact themselves when they have doubled, so clone, write, close in a loop does not
/// grow them. Guarded by the family's own lock, which is below the leaf's lock and held for list operations only. A family
/// whose last leaf was buried is closed: nobody installs under its number any more, so its places may be taken out of the
/// reverse map.
/// </remarks>
internal sealed class LeafFamily(FamilyTable table)
{
    private const int HandleBytes = 8;
    private const int AdopterBytes = 16;

    private TinyLock _lock;

    /// <summary>Leaves that are not collected, and those of them that are not buried. A family is made for its first.</summary>
    private int _leaves = 1;
    private int _unburied = 1;

    /// <summary>The usual family has one leaf and one adopter; only the others need arrays.</summary>
    private WeakReference<Leaf>? _firstLeaf;
    private WeakReference<Leaf>[]? _moreLeaves;
    private Adopter _firstAdopter;
    private Adopter[]? _moreAdopters;
    private int _moreLeafCount;
    private int _moreAdopterCount;

    /// <summary>The number by which records name the family; given out by the table.</summary>
    public int Id { get; set; } = -1;

    /// <summary>A clone family that shows a leaf of this family, and the window at which it does.</summary>
    public readonly record struct Adopter(CloneFamily Files, long Window);

    /// <summary>Makes room for one more leaf. Refused by a closed family.</summary>
    public bool TryAdmit()
    {
        _lock.Enter();
        try
        {
            var isOpen = _unburied > 0;
            if (isOpen)
            {
                _unburied++;
                Atomic.Increment(ref _leaves);
            }

            return isOpen;
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Whether its last leaf was buried.</summary>
    public bool IsClosed => Atomic.LoadAcquire(ref _unburied) <= 0;

    /// <summary>A leaf was buried; true if it was the last and the family is closed now.</summary>
    public bool LeafBuried()
    {
        _lock.Enter();
        var isClosed = --_unburied == 0;
        _lock.Exit();
        return isClosed;
    }

    /// <summary>Lists a leaf that was admitted.</summary>
    public void Join(Leaf leaf)
    {
        _lock.Enter();
        try
        {
            if (_firstLeaf is null || !_firstLeaf.TryGetTarget(out _))
            {
                _firstLeaf = leaf.Self;
                return;
            }

            _moreLeaves ??= [];
            if (_moreLeafCount == _moreLeaves.Length)
            {
                WeakReference<Leaf>[] live = [.. _moreLeaves.Where(static handle => handle.TryGetTarget(out _))];
                table.AddListBytes((Math.Max(2, live.Length * 2) - _moreLeafCount) * (long)HandleBytes);
                _moreLeafCount = live.Length;
                _moreLeaves = new WeakReference<Leaf>[Math.Max(2, live.Length * 2)];
                live.CopyTo(_moreLeaves, 0);
            }

            _moreLeaves[_moreLeafCount++] = leaf.Self;
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Notes that the files of a clone family show a leaf of this family at a window.</summary>
    public void Adopt(CloneFamily files, long window)
    {
        _lock.Enter();
        try
        {
            var adopter = new Adopter(files, window);
            if (_firstAdopter.Files is null || !_firstAdopter.Files.HasMembers)
            {
                _firstAdopter = adopter;
                return;
            }

            if (_firstAdopter == adopter || (_moreAdopterCount > 0 && _moreAdopters![_moreAdopterCount - 1] == adopter))
            {
                return;
            }

            _moreAdopters ??= [];
            if (_moreAdopterCount == _moreAdopters.Length)
            {
                Adopter[] live = [.. _moreAdopters.Where(static known => known.Files.HasMembers).Distinct()];
                table.AddListBytes((Math.Max(2, live.Length * 2) - _moreAdopterCount) * (long)AdopterBytes);
                _moreAdopterCount = live.Length;
                _moreAdopters = new Adopter[Math.Max(2, live.Length * 2)];
                live.CopyTo(_moreAdopters, 0);
            }

            _moreAdopters[_moreAdopterCount++] = adopter;
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>The leaves that are still reachable by somebody, appended to a list.</summary>
    public void CopyLeavesTo(List<Leaf> leaves)
    {
        _lock.Enter();
        try
        {
            if (_firstLeaf is not null && _firstLeaf.TryGetTarget(out var first))
            {
                leaves.Add(first);
            }

            foreach (var handle in _moreLeaves.AsSpan(0, _moreLeafCount))
            {
                if (handle.TryGetTarget(out var leaf))
                {
                    leaves.Add(leaf);
                }
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Copies the newest leaves that are still reachable, at most as many as fit. Allocates nothing.</summary>
    public int CopyNewestTo(Span<Leaf?> leaves)
    {
        var count = 0;
        _lock.Enter();
        try
        {
            for (var i = _moreLeafCount - 1; i >= 0 && count < leaves.Length; i--)
            {
                if (_moreLeaves![i].TryGetTarget(out var leaf))
                {
                    leaves[count++] = leaf;
                }
            }

            if (count < leaves.Length && _firstLeaf is not null && _firstLeaf.TryGetTarget(out var first))
            {
                leaves[count++] = first;
            }
        }
        finally
        {
            _lock.Exit();
        }

        return count;
    }

    public Adopter[] Adopters()
    {
        _lock.Enter();
        try
        {
            return _firstAdopter.Files is null ? [] : [_firstAdopter, .. _moreAdopters.AsSpan(0, _moreAdopterCount)];
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>A leaf of this family was collected; the last one gives the number back.</summary>
    public void LeafCollected(bool wasBuried)
    {
        if (!wasBuried)
        {
            LeafBuried();
        }

        if (Atomic.Decrement(ref _leaves) == 0)
        {
            table.AddListBytes(-((_moreLeaves?.Length ?? 0) * (long)HandleBytes) - (_moreAdopters?.Length ?? 0) * (long)AdopterBytes);
            table.Release(this);
        }
    }
}
