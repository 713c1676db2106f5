using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The runs of a volume whose bytes are being written on the device: placed by the engine for a write-back and neither
/// published nor abandoned yet, or written by the engine itself (a direct write). No load of them publishes, and none begins.
/// </summary>
/// <remarks>
/// <para>
/// Runs are listed before what is cached or being loaded of their blocks is dropped; a load enters its phase (full fence) before
/// it looks here. So of the two at least one sees the other: the drop ends the load, or the load finds its block listed and is
/// called off.
/// </para>
/// <para>
/// A read around the cache has no frame that a drop could end: it is entered here, and spoiled when a run of its blocks is
/// listed before it has left. Both are under this list's lock, so a read that leaves unspoiled ended before the first byte was
/// written, or began after the last one.
/// </para>
/// </remarks>
internal sealed class PlacedBlocks(int pageShift)
{
    private readonly List<BlockRun> _placed = [];
    private readonly List<BlockRun> _direct = [];
    private readonly List<ReadAround> _reads = [];
    private readonly Turnstile _turns = new();
    private TinyLock _lock;
    private int _count;

    /// <summary>A read around the cache that is under way.</summary>
    /// <param name="blocks">What it reads.</param>
    internal sealed class ReadAround(BlockRun[] blocks)
    {
        public BlockRun[] Blocks { get; } = blocks;

        /// <summary>Whether a run of its blocks was listed meanwhile. Under the list's lock.</summary>
        public bool IsSpoiled { get; set; }
    }

    public bool IsEmpty => Atomic.LoadAcquire(ref _count) == 0;

    /// <summary>Lists the runs that the engine has placed, all or none.</summary>
    /// <returns>A run whose blocks somebody is writing already; null if all are listed.</returns>
    public BlockRun? TryAdd(IEnumerable<BlockRun> runs)
    {
        BlockRun[] placed = [.. runs];
        BlockRun? taken = null;
        _lock.Enter();
        foreach (var run in placed)
        {
            taken ??= IsIn(_placed, run) || IsIn(_direct, run) ? run : null;
        }

        for (var i = 0; taken is null && i < placed.Length; i++)
        {
            List(_placed, placed[i]);
        }

        _lock.Exit();
        return taken;
    }

    /// <summary>Lists a run that the engine is going to write; refused if another write of its blocks is under way.</summary>
    public bool TryAddDirect(BlockRun run)
    {
        _lock.Enter();
        var isFree = !IsIn(_placed, run) && !IsIn(_direct, run);
        if (isFree)
        {
            List(_direct, run);
        }

        _lock.Exit();
        return isFree;
    }

    /// <summary>The write-back is over.</summary>
    public void Clear()
    {
        _lock.Enter();
        _placed.Clear();
        Atomic.Exchange(ref _count, _direct.Count);
        _lock.Exit();
        _turns.Pulse();
    }

    /// <summary>A direct write is over.</summary>
    public void RemoveDirect(BlockRun run)
    {
        _lock.Enter();
        _direct.Remove(run);
        Atomic.Exchange(ref _count, _placed.Count + _direct.Count);
        _lock.Exit();
        _turns.Pulse();
    }

    public bool Contains(long block) => Overlaps(new BlockRun(block << pageShift, 1L << pageShift));

    /// <summary>Whether any block of a run is being written.</summary>
    public bool Overlaps(BlockRun run)
    {
        if (IsEmpty)
        {
            return false;
        }

        _lock.Enter();
        var isListed = IsIn(_placed, run) || IsIn(_direct, run);
        _lock.Exit();
        return isListed;
    }

    /// <summary>Whether any block of a run was placed for a write-back that is under way.</summary>
    public bool IsPlaced(BlockRun run)
    {
        if (IsEmpty)
        {
            return false;
        }

        _lock.Enter();
        var isPlaced = IsIn(_placed, run);
        _lock.Exit();
        return isPlaced;
    }

    /// <summary>Returns when a write may have ended.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _turns.WaitAsync(cancellationToken);

    /// <summary>Enters a read around the cache; null if a block of it is being written.</summary>
    public ReadAround? TryEnter(BlockRun[] blocks)
    {
        var read = new ReadAround(blocks);
        _lock.Enter();
        var mayRead = !Array.Exists(blocks, run => IsIn(_placed, run) || IsIn(_direct, run));
        if (mayRead)
        {
            _reads.Add(read);
        }

        _lock.Exit();
        return mayRead ? read : null;
    }

    /// <summary>The device has answered.</summary>
    /// <returns>Whether no block of the read was written meanwhile.</returns>
    public bool Leave(ReadAround read)
    {
        _lock.Enter();
        _reads.Remove(read);
        var isWhole = !read.IsSpoiled;
        _lock.Exit();
        return isWhole;
    }

    private static bool IsIn(List<BlockRun> runs, BlockRun run)
    {
        foreach (var listed in runs)
        {
            if (listed.Overlaps(run))
            {
                return true;
            }
        }

        return false;
    }

    private void List(List<BlockRun> runs, BlockRun run)
    {
        runs.Add(run);
        Atomic.Exchange(ref _count, _placed.Count + _direct.Count);
        foreach (var read in _reads)
        {
            read.IsSpoiled |= Array.Exists(read.Blocks, run.Overlaps);
        }
    }
}
