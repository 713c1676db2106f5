using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// A volume's clock, and for each region of blocks when it was last discarded or moved. A leaf whose extents were asked
/// for before that moment is not trusted for blocks of that region any more.
/// </summary>
/// <remarks>
/// <para>
/// Regions are hashed into 1,024 entries, so the table has a fixed size. An entry that has moved says "perhaps": the last
/// 256 changes are kept exactly and decide, so that a stream of discards next door neither starves a fault nor ages every
/// leaf of its region again and again. What is older than they are counts as changed, which costs one question to the
/// engine and is never wrong.
/// </para>
/// <para>
/// <b>The pairing.</b> A discard advances the entry (interlocked, a full fence) and then looks for frames of the block; a
/// fault makes its frame findable (interlocked, a full fence) and then looks at the entry. Of the two at least one sees
/// the other: either the discard finds the frame or the fault finds its leaf too old.
/// </para>
/// </remarks>
internal sealed class RegionClock
{
    /// <summary>Pages a region: 16 MiB of 4 KiB pages.</summary>
    public const int RegionShift = 12;

    private const int Entries = 1024;
    private const int Recent = 256;

    private readonly long[] _changedAt = new long[Entries];
    private readonly (long First, long Last)[] _recent = new (long, long)[Recent];
    private TinyLock _recentLock;
    private long _now = 1;

    /// <summary>The clock. Read before the engine is asked: that is the age of its answer.</summary>
    public long Now => Atomic.LoadAcquire(ref _now);

    public static long RegionOf(long block) => block >> RegionShift;

    /// <summary>Something happened to the blocks of a range: every older answer about them is void.</summary>
    public void Advance(long firstBlock, long lastBlock)
    {
        var now = Tick(firstBlock, lastBlock);
        var first = RegionOf(firstBlock);
        var count = Math.Min(RegionOf(lastBlock) - first + 1, Entries);
        for (long i = 0; i < count; i++)
        {
            ref var entry = ref _changedAt[EntryOf(first + i)];
            var known = Atomic.LoadAcquire(ref entry);
            while (known < now)
            {
                var seen = Atomic.CompareExchange(ref entry, now, known);
                if (seen == known)
                {
                    break;
                }

                known = seen;
            }
        }
    }

    /// <summary>Whether an answer of that age is void for a block.</summary>
    public bool HasChangedSince(long age, long block) =>
        Atomic.LoadAcquire(ref _changedAt[EntryOf(RegionOf(block))]) > age && HasReallyChangedSince(age, block, block);

    /// <summary>Whether an answer of that age is void for any block of a window's runs.</summary>
    public bool HasChangedSince(long age, WindowRuns runs, int pageShift)
    {
        foreach (var run in runs)
        {
            if (!run.IsOpaque && HasChangedSince(age, run, pageShift))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether an answer of that age is void for any block of a run.</summary>
    public bool HasChangedSince(long age, WindowRun run, int pageShift)
    {
        var (firstBlock, lastBlock) = (run.Physical >> pageShift, run.Physical + run.Length - 1 >> pageShift);
        var last = RegionOf(lastBlock);
        for (var region = RegionOf(firstBlock); region <= last; region++)
        {
            if (Atomic.LoadAcquire(ref _changedAt[EntryOf(region)]) > age)
            {
                return HasReallyChangedSince(age, firstBlock, lastBlock);
            }
        }

        return false;
    }

    /// <summary>Counts the clock up and keeps the change. In this order for all, so the kept ones have no gap.</summary>
    private long Tick(long firstBlock, long lastBlock)
    {
        _recentLock.Enter();
        var now = _now + 1;
        _recent[now % Recent] = (firstBlock, lastBlock);
        Atomic.Exchange(ref _now, now);
        _recentLock.Exit();
        return now;
    }

    /// <summary>An entry has moved: whether any change since then was of one of these very blocks.</summary>
    private bool HasReallyChangedSince(long age, long firstBlock, long lastBlock)
    {
        _recentLock.Enter();
        try
        {
            if (age <= _now - Recent)
            {
                return true;
            }

            for (var time = age + 1; time <= _now; time++)
            {
                var (first, last) = _recent[time % Recent];
                if (first <= lastBlock && firstBlock <= last)
                {
                    return true;
                }
            }

            return false;
        }
        finally
        {
            _recentLock.Exit();
        }
    }

    private static int EntryOf(long region) => (int)(region & (Entries - 1));
}
