using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The blocks of a volume that were reported bad: nothing is read from them until they are repaired, written anew, or
/// discarded. Looked at where a load begins and nowhere else; while the list is empty that costs one load of a word.
/// </summary>
/// <remarks>
/// A run is listed (the lock is a full fence) before what is cached or being loaded of it is dropped; a load enters its phase
/// (full fence) before it looks here. So either the drop ends the load, or the load finds its block listed and is called off.
/// </remarks>
internal sealed class BadBlocks
{
    private readonly List<BlockRun> _runs = [];
    private TinyLock _lock;
    private int _count;

    public bool IsEmpty => Atomic.LoadAcquire(ref _count) == 0;

    /// <summary>Lists a run.</summary>
    public void Add(BlockRun run)
    {
        _lock.Enter();
        Subtract(run);
        _runs.Add(run);
        Atomic.Exchange(ref _count, _runs.Count);
        _lock.Exit();
    }

    /// <summary>A run holds good bytes again, or nobody's.</summary>
    public void Remove(BlockRun run)
    {
        if (IsEmpty)
        {
            return;
        }

        _lock.Enter();
        Subtract(run);
        Atomic.Exchange(ref _count, _runs.Count);
        _lock.Exit();
    }

    /// <summary>Whether any block of a run is bad.</summary>
    public bool Overlaps(BlockRun run)
    {
        if (IsEmpty)
        {
            return false;
        }

        _lock.Enter();
        var isBad = _runs.Exists(bad => bad.Overlaps(run));
        _lock.Exit();
        return isBad;
    }

    /// <summary>Whether all blocks of a run are bad.</summary>
    public bool Covers(BlockRun run)
    {
        _lock.Enter();
        long covered = 0;
        foreach (var bad in _runs)
        {
            covered += Math.Max(0, Math.Min(bad.End, run.End) - Math.Max(bad.Offset, run.Offset));
        }

        _lock.Exit();
        return covered == run.Length;
    }

    /// <summary>Runs of the list never overlap.</summary>
    private void Subtract(BlockRun run)
    {
        for (var i = _runs.Count - 1; i >= 0; i--)
        {
            var bad = _runs[i];
            if (!bad.Overlaps(run))
            {
                continue;
            }

            _runs.RemoveAt(i);
            if (bad.Offset < run.Offset)
            {
                _runs.Add(new BlockRun(bad.Offset, run.Offset - bad.Offset));
            }

            if (bad.End > run.End)
            {
                _runs.Add(new BlockRun(run.End, bad.End - run.End));
            }
        }
    }
}
