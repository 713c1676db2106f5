using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SharedPageCache.Concurrency;

/// <summary>
/// A counter for the hit path: each thread adds to a cell of its own, so counting is neither an atomic nor a shared
/// write. Exact, also after a thread has ended.
/// </summary>
/// <remarks>
/// A cell is written by its thread alone (plain add, store-release so that a 32-bit reader sees whole values) and read by
/// anybody. Cells of ended threads are folded into the base when the list has doubled, under the lock.
/// </remarks>
internal sealed class ThreadCounter
{
    [ThreadStatic]
    private static Cell? t_last;

    [ThreadStatic]
    private static List<WeakReference<Cell>>? t_cells;

    private readonly List<Cell> _cells = [];
    private TinyLock _lock;
    private long _folded;
    private int _foldAt = 64;

    public long Sum
    {
        get
        {
            _lock.Enter();
            try
            {
                var sum = _folded;
                foreach (var cell in _cells)
                {
                    sum += Atomic.LoadAcquire(ref cell.Count.Value);
                }

                return sum;
            }
            finally
            {
                _lock.Exit();
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(long value)
    {
        // The usual case first: without a profile the compiler takes what it reads first for that.
        var cell = t_last;
        if (cell is not null && cell.Owner == this)
        {
            Atomic.StoreRelease(ref cell.Count.Value, cell.Count.Value + value);
            return;
        }

        AddToAnother(value);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddToAnother(long value)
    {
        var cell = FindCell();
        Atomic.StoreRelease(ref cell.Count.Value, cell.Count.Value + value);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Cell FindCell()
    {
        var mine = t_cells ??= [];
        for (var i = mine.Count - 1; i >= 0; i--)
        {
            if (!mine[i].TryGetTarget(out var known))
            {
                mine.RemoveAt(i);
            }
            else if (known.Owner == this)
            {
                return t_last = known;
            }
        }

        var cell = new Cell(this, Thread.CurrentThread);
        _lock.Enter();
        try
        {
            _cells.Add(cell);
            if (_cells.Count >= _foldAt)
            {
                FoldEndedThreads();
            }
        }
        finally
        {
            _lock.Exit();
        }

        mine.Add(new WeakReference<Cell>(cell));
        return t_last = cell;
    }

    private void FoldEndedThreads()
    {
        var ended = 0L;
        _cells.RemoveAll(cell =>
        {
            if (cell.IsThreadAlive)
            {
                return false;
            }

            ended += Atomic.LoadAcquire(ref cell.Count.Value);
            return true;
        });
        _folded += ended;
        _foldAt = Math.Max(64, _cells.Count * 2);
    }

    private sealed class Cell(ThreadCounter owner, Thread thread)
    {
        private readonly WeakReference<Thread> _thread = new(thread);

        public readonly ThreadCounter Owner = owner;
        public PaddedValue Count;

        public bool IsThreadAlive => _thread.TryGetTarget(out var thread) && thread.IsAlive;
    }

    /// <summary>The collector may move the cells of several threads next to each other: their values stay in cache lines of their own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct PaddedValue
    {
        [FieldOffset(56)]
        public long Value;
    }
}
