using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// All copies of one window of page references, and who may reach them: the family is what a frame's record names, so
/// that neither a clone nor a copy of a leaf costs a record for each page.
/// </summary>
/// <remarks>
/// Leaves are held weakly, adopters (clone families with the window at which they show a leaf) for as long as one of
/// their files is open; both lists compact themselves when they have doubled, so clone, write, close in a loop does not
/// grow them. Guarded by the family's own lock, which is below the leaf's lock and held for list operations only.
/// </remarks>
internal sealed class LeafFamily(FamilyTable table)
{
    private TinyLock _lock;
    private readonly List<WeakReference<Leaf>> _leaves = new(1);
    private List<Adopter> _adopters = new(1);
    private int _compactLeavesAt = 8;
    private int _compactAdoptersAt = 8;
    private int _liveLeaves;

    /// <summary>The number by which records name the family; given out by the table.</summary>
    public int Id { get; set; } = -1;

    /// <summary>A clone family that shows a leaf of this family, and the window at which it does.</summary>
    public readonly record struct Adopter(CloneFamily Files, long Window);

    public void Join(Leaf leaf)
    {
        Atomic.Increment(ref _liveLeaves);
        _lock.Enter();
        try
        {
            _leaves.Add(leaf.Self);
            if (_leaves.Count >= _compactLeavesAt)
            {
                _leaves.RemoveAll(static handle => !handle.TryGetTarget(out _));
                _compactLeavesAt = Math.Max(8, _leaves.Count * 2);
            }
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
            if (_adopters.Count > 0 && _adopters[^1] == adopter)
            {
                return;
            }

            _adopters.Add(adopter);
            if (_adopters.Count >= _compactAdoptersAt)
            {
                _adopters = [.. _adopters.Where(static known => known.Files.HasMembers).Distinct()];
                _compactAdoptersAt = Math.Max(8, _adopters.Count * 2);
            }
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
            foreach (var handle in _leaves)
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
            for (var i = _leaves.Count - 1; i >= 0 && count < leaves.Length; i--)
            {
                if (_leaves[i].TryGetTarget(out var leaf))
                {
                    leaves[count++] = leaf;
                }
            }
        }
        finally
        {
            _lock.Exit();
        }

        return count;
    }

    public int LeafCount
    {
        get
        {
            _lock.Enter();
            try
            {
                return _leaves.Count;
            }
            finally
            {
                _lock.Exit();
            }
        }
    }

    public Adopter[] Adopters()
    {
        _lock.Enter();
        try
        {
            return [.. _adopters];
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>A leaf of this family was collected; the last one gives the number back.</summary>
    public void LeafCollected()
    {
        if (Atomic.Decrement(ref _liveLeaves) == 0)
        {
            table.Release(this);
        }
    }
}
