using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The runs of a volume that its engine has placed and that are neither published nor abandoned yet: they belong to the
/// write-back. No load of them publishes, no discard may name them.
/// </summary>
/// <remarks>
/// Runs are listed before their blocks are discarded; a load enters its phase (full fence) before it looks here. So of
/// the two at least one sees the other: the discard ends the load, or the load finds its block listed and is called off.
/// </remarks>
internal sealed class PlacedBlocks(int pageShift)
{
    private readonly List<BlockRun> _runs = [];
    private TinyLock _lock;
    private int _count;

    public void Add(BlockRun run)
    {
        _lock.Enter();
        _runs.Add(run);
        Atomic.Exchange(ref _count, _runs.Count);
        _lock.Exit();
    }

    public void Clear()
    {
        _lock.Enter();
        _runs.Clear();
        Atomic.Exchange(ref _count, 0);
        _lock.Exit();
    }

    public bool Contains(long block) => Overlaps(new BlockRun(block << pageShift, 1L << pageShift));

    public bool Overlaps(BlockRun run)
    {
        if (Atomic.LoadAcquire(ref _count) == 0)
        {
            return false;
        }

        _lock.Enter();
        try
        {
            foreach (var placed in _runs)
            {
                if (placed.Overlaps(run))
                {
                    return true;
                }
            }

            return false;
        }
        finally
        {
            _lock.Exit();
        }
    }
}
