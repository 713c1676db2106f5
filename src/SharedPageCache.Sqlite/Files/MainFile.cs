using SharedPageCache.Sqlite.Locking;

namespace SharedPageCache.Sqlite.Files;

/// <summary>A database file as one connection has it open: its locks, its part of the log's index, the pages it was given.</summary>
internal sealed class MainFile(StoreFiles store, Database database, OpenFlags flags)
    : VfsFile(store, database.Main, database, flags)
{
    /// <summary>
    /// A cursor holds a page for each level of its tree, so few are ever fetched at the same time; what does not find a place
    /// is read by copy.
    /// </summary>
    private const int MostFetched = 128;

    private readonly int _pageSize = database.Main.Pages.Volume.PageSize;
    private (nint Address, KeptPage Page)[] _fetched = new (nint, KeptPage)[8];
    private int _fetchedCount;
    private LockLevel _level;
    private WalLocks _walLocks;
    private bool _usesWalIndex;

    private Database Database => Owner!;

    public override LockLevel Level => _level;

    public override bool IsReserved => Database.Lock.IsReserved;

    public override bool TryLock(LockLevel level) => Database.Lock.TryRaise(ref _level, level);

    public override void Unlock(LockLevel level) => Database.Lock.Lower(ref _level, level);

    public override void ExpectLength(long length)
    {
        if (length > File.Length)
        {
            Admit(0, length);
            Truncate(length);
        }
    }

    protected override void Admit(int count, long offset)
    {
        if (offset + count > File.Length)
        {
            Store.Room.AdmitGrowth(offset + count - File.Length);
        }
    }

    public nint MapShared(int index, int size, bool create)
    {
        if (!_usesWalIndex)
        {
            Database.WalIndex.Join();
            _usesWalIndex = true;
        }

        return Database.WalIndex.Map(index, size, create);
    }

    public bool TryLockShared(int first, int count, bool alone) =>
        Database.WalIndex.TryTake(ref _walLocks, first, count, alone);

    public void UnlockShared(int first, int count) => Database.WalIndex.Give(ref _walLocks, first, count);

    public void UnmapShared()
    {
        if (_usesWalIndex)
        {
            Database.WalIndex.Give(ref _walLocks, 0, WalIndex.LockCount);
            Database.WalIndex.Leave();
            _usesWalIndex = false;
        }
    }

    /// <summary>Pins the page that has a range, loading it if need be.</summary>
    /// <returns>Whether it was pinned: not if the range is in two pages or reaches behind the end, or too much is pinned.</returns>
    public bool TryFetch(long offset, int count, out KeptPage page)
    {
        page = default;
        if (offset + count > File.Length || (offset & (_pageSize - 1)) + count > _pageSize || _fetchedCount == MostFetched)
        {
            return false;
        }

        if (!File.Pages.TryKeep(offset, out page))
        {
            Span<byte> first = stackalloc byte[1];
            File.Pages.Read(offset, first);
            if (!File.Pages.TryKeep(offset, out page))
            {
                return false;
            }
        }

        return true;
    }

    public void NoteFetched(nint address, KeptPage page)
    {
        if (_fetchedCount == _fetched.Length)
        {
            Array.Resize(ref _fetched, 2 * _fetchedCount);
        }

        _fetched[_fetchedCount++] = (address, page);
    }

    /// <summary>Gives back a page by its address. The newest first: cursors climb back as they went down.</summary>
    public void Unfetch(nint address)
    {
        for (var i = _fetchedCount - 1; i >= 0; i--)
        {
            if (_fetched[i].Address == address)
            {
                _fetched[i].Page.Release();
                _fetched[i] = _fetched[--_fetchedCount];
                return;
            }
        }
    }

    public override void Close()
    {
        while (_fetchedCount > 0)
        {
            _fetched[--_fetchedCount].Page.Release();
        }

        UnmapShared();
        Unlock(LockLevel.None);
        Store.Catalog.Close(Database);
    }
}
