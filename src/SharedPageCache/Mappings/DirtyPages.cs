using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The provisional frames of one volume: dirty, or being written. What is not in here is on the device.
/// </summary>
/// <remarks>
/// An entry comes with the frame's first dirty content, before a leaf shows it, and goes when the frame has got its block
/// or has lost its last owner. Guarded by its own lock, innermost. The count is exact at rest and drops only by a
/// successful write-back, or because nobody shows the page any more.
/// <para>
/// <b>Rounds.</b> A flush owes whatever was written before it began. A page that it has not frozen yet may be overwritten in
/// another frame meanwhile, and the old frame go: the new one inherits the old one's round, and so belongs to the flush.
/// </para>
/// </remarks>
/// <param name="total">The dirty pages of all volumes.</param>
/// <param name="ledger">The books: a file that is named here is no garbage.</param>
internal sealed class DirtyPages(DirtyTotal total, NodeLedger ledger)
{
    private readonly Dictionary<int, Entry> _entries = [];

    /// <summary>Entries in the order in which they came; those that are gone are passed by.</summary>
    private readonly Queue<(int Frame, long Since)> _byAge = new();
    private TinyLock _lock;
    private int _count;
    private long _settled;
    private long _rounds;

    /// <summary>The order of ages is cleared up when it holds so many more entries than twice the pages.</summary>
    private const int FewAges = 64;

    /// <summary>What is known of a provisional frame.</summary>
    /// <param name="Generation">The frame's generation.</param>
    /// <param name="File">The file that wrote it: the first place to look for an owner.</param>
    /// <param name="Page">The page of that file.</param>
    /// <param name="Lsn">The newest log record of its content.</param>
    /// <param name="Since">When it became dirty, as a time stamp of the cache's clock.</param>
    /// <param name="Round">How many flushes had begun when the oldest of its content was written that no image has.</param>
    public readonly record struct Entry(int Generation, FileMapping File, long Page, Lsn Lsn, long Since, long Round);

    public int Count => Atomic.LoadAcquire(ref _count);

    /// <summary>How many pages have ever stopped being dirty: what writers are paced by.</summary>
    public long Settled => Atomic.LoadAcquire(ref _settled);

    /// <summary>A flush begins: it owes all entries of an earlier round than the one that is returned.</summary>
    public long BeginRound()
    {
        _lock.Enter();
        var round = ++_rounds;
        _lock.Exit();
        return round;
    }

    /// <summary>Adds an entry. It is of the current round, or of an older one that it says.</summary>
    public void Add(int frame, Entry entry)
    {
        _lock.Enter();
        _entries[frame] = entry with { Round = Math.Min(entry.Round, _rounds) };
        _byAge.Enqueue((frame, entry.Since));
        Atomic.StoreRelease(ref _count, _entries.Count);
        if (_byAge.Count > 2 * _entries.Count + FewAges)
        {
            ForgetAges();
        }

        _lock.Exit();
        total.AddPages(1);
    }

    /// <summary>When the page became dirty that has been so for longest; null if there is none.</summary>
    public long? OldestSince()
    {
        _lock.Enter();
        try
        {
            while (_byAge.TryPeek(out var first))
            {
                if (IsCurrent(first))
                {
                    return first.Since;
                }

                _byAge.Dequeue();
            }

            return null;
        }
        finally
        {
            _lock.Exit();
        }
    }

    public bool TryGet(int frame, out Entry entry)
    {
        _lock.Enter();
        var isKnown = _entries.TryGetValue(frame, out entry);
        _lock.Exit();
        return isKnown;
    }

    /// <summary>The content of a frame depends on a newer log record from now on.</summary>
    public void Raise(int frame, Lsn lsn)
    {
        _lock.Enter();
        if (_entries.TryGetValue(frame, out var entry) && entry.Lsn < lsn)
        {
            _entries[frame] = entry with { Lsn = lsn };
        }

        _lock.Exit();
    }

    /// <summary>A flush that owed a page owes this frame from now on, which has taken the page's place.</summary>
    public void Owe(int frame, long round)
    {
        _lock.Enter();
        if (_entries.TryGetValue(frame, out var entry) && entry.Round > round)
        {
            _entries[frame] = entry with { Round = round };
        }

        _lock.Exit();
    }

    public void Remove(int frame)
    {
        _lock.Enter();
        var wasDirty = _entries.Remove(frame, out var entry);
        Atomic.StoreRelease(ref _count, _entries.Count);
        Atomic.StoreRelease(ref _settled, _settled + (wasDirty ? 1 : 0));
        _lock.Exit();
        total.AddPages(wasDirty ? -1 : 0);
        if (wasDirty && entry.File.IsClosed)
        {
            // He wrote the page and was closed: nobody names him any more, but for a write-back, which says so itself when it ends.
            ledger.FilesReleased(1);
        }
    }

    /// <summary>All entries at this moment.</summary>
    public List<KeyValuePair<int, Entry>> All()
    {
        _lock.Enter();
        try
        {
            return [.. _entries];
        }
        finally
        {
            _lock.Exit();
        }
    }

    private bool IsCurrent((int Frame, long Since) age) =>
        _entries.TryGetValue(age.Frame, out var entry) && entry.Since == age.Since;

    private void ForgetAges()
    {
        for (var left = _byAge.Count; left > 0; left--)
        {
            if (_byAge.Dequeue() is var age && IsCurrent(age))
            {
                _byAge.Enqueue(age);
            }
        }
    }
}
