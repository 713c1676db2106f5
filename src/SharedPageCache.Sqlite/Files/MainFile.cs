using SharedPageCache.Sqlite.Locking;
using SharedPageCache.Sqlite.Native;

namespace SharedPageCache.Sqlite.Files;

/// <summary>A database file as one connection has it open: its locks, its part of the log's index, the pages it was given.</summary>
internal sealed class MainFile(StoreFiles store, Database database, OpenFlags flags)
    : VfsFile(store, database.Main, database, flags)
{
    private LockLevel _level;
    private WalLocks _walLocks;
    private bool _usesWalIndex;

    /// <summary>The pages that the connection has in place.</summary>
    public FetchedPages Fetched { get; } = new(database.Main.Pages, store.CachePages);

    private Database Database => Owner!;

    public override LockLevel Level => _level;

    public override bool IsReserved => Database.Lock.IsReserved;

    public override bool TryLock(LockLevel level) => Database.Lock.TryRaise(ref _level, level);

    public override void Unlock(LockLevel level)
    {
        Fetched.Drop();
        Database.Lock.Lower(ref _level, level);
    }

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

    public void UnlockShared(int first, int count)
    {
        Fetched.Drop();
        Database.WalIndex.Give(ref _walLocks, first, count);
    }

    public void UnmapShared()
    {
        if (_usesWalIndex)
        {
            Fetched.Drop();
            Database.WalIndex.Give(ref _walLocks, 0, WalIndex.LockCount);
            Database.WalIndex.Leave();
            _usesWalIndex = false;
        }
    }

    /// <summary>Where a range of the file is in memory, until it is given back; zero if it is to be read by copy.</summary>
    public nint Fetch(long offset, int count) => offset + count > File.Length ? 0 : Fetched.Fetch(offset, count);

    public void Unfetch(long offset, nint address) => Fetched.Unfetch(offset, address);

    /// <summary>What was fetched before is not handed out again.</summary>
    public void DropFetched() => Fetched.Drop();

    protected override void PassMoment()
    {
        Fetched.Drop();
        base.PassMoment();
    }

    public override void Close()
    {
        Fetched.Clear();
        UnmapShared();
        Unlock(LockLevel.None);
        Store.Catalog.Close(Database);
    }
}
