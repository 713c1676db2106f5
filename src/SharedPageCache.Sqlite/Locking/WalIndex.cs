using SharedPageCache.Sqlite.Native;

namespace SharedPageCache.Sqlite.Locking;

/// <summary>
/// What the connections of one database share in WAL mode: the index of the log, in native memory, and the eight locks of
/// https://sqlite.org/walformat.html. All connections are in this process, so no file is mapped.
/// </summary>
/// <remarks>
/// Ordinary connections share it; it is gone with the last of them, and the next one rebuilds it from the log. After a
/// crash it never existed. The locks are taken and given back under one lock of ours, which orders what is written to the
/// index before with what is read after; what SQLite reads without a lock it orders by its own barriers.
/// </remarks>
internal sealed class WalIndex
{
    public const int LockCount = 8;

    private const int HeldAlone = -1;

    private readonly Lock _lock = new();
    private readonly List<SharedRegion> _regions = [];
    private readonly int[] _holders = new int[LockCount];
    private int _users;

    public void Join()
    {
        lock (_lock)
        {
            _users++;
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            if (--_users == 0)
            {
                _regions.ForEach(static region => region.Dispose());
                _regions.Clear();
            }
        }
    }

    /// <summary>The address of a region; zero if there is none and none is to be made.</summary>
    public nint Map(int index, int size, bool create)
    {
        lock (_lock)
        {
            while (create && _regions.Count <= index)
            {
                _regions.Add(new SharedRegion(size));
            }

            return index < _regions.Count ? _regions[index].Address : 0;
        }
    }

    /// <summary>Takes a range of the locks for a connection, all or none.</summary>
    public bool TryTake(ref WalLocks own, int first, int count, bool alone)
    {
        var mask = WalLocks.Mask(first, count);
        lock (_lock)
        {
            if (alone)
            {
                var range = _holders.AsSpan(first, count);
                if (range.ContainsAnyExcept(0))
                {
                    return false;
                }

                range.Fill(HeldAlone);
                own.TakeAlone(mask);
                return true;
            }

            if (own.HasShared(first))
            {
                return true;
            }

            if (_holders[first] == HeldAlone)
            {
                return false;
            }

            _holders[first]++;
            own.TakeShared(mask);
            return true;
        }
    }

    /// <summary>Gives back what a connection has of a range of the locks.</summary>
    public void Give(ref WalLocks own, int first, int count)
    {
        lock (_lock)
        {
            for (var i = first; i < first + count; i++)
            {
                if (own.HasAlone(i))
                {
                    _holders[i] = 0;
                }
                else if (own.HasShared(i))
                {
                    _holders[i]--;
                }
            }

            own.Give(WalLocks.Mask(first, count));
        }
    }
}
