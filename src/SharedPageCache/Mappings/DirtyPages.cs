using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The provisional frames of one volume: dirty, or being written. What is not in here is on the device.
/// </summary>
/// <remarks>
/// An entry comes with the frame's first dirty content, before a leaf shows it, and goes when the frame has got its block
/// or has lost its last owner. Guarded by its own lock, innermost. The count is exact at rest and drops only by a
/// successful write-back, or because nobody shows the page any more.
/// </remarks>
internal sealed class DirtyPages
{
    private readonly Dictionary<int, Entry> _entries = [];
    private TinyLock _lock;
    private int _count;

    /// <summary>What is known of a provisional frame.</summary>
    /// <param name="Generation">The frame's generation.</param>
    /// <param name="File">The file that wrote it: the first place to look for an owner.</param>
    /// <param name="Page">The page of that file.</param>
    /// <param name="Lsn">The newest log record of its content.</param>
    /// <param name="Since">When it became dirty, as a time stamp of the cache's clock.</param>
    public readonly record struct Entry(int Generation, FileMapping File, long Page, Lsn Lsn, long Since);

    public int Count => Atomic.LoadAcquire(ref _count);

    public void Add(int frame, Entry entry)
    {
        _lock.Enter();
        _entries[frame] = entry;
        Atomic.StoreRelease(ref _count, _entries.Count);
        _lock.Exit();
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

    public void Remove(int frame)
    {
        _lock.Enter();
        _entries.Remove(frame);
        Atomic.StoreRelease(ref _count, _entries.Count);
        _lock.Exit();
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
}
