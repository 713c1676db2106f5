using Microsoft.Data.Sqlite;
using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>
/// Every call of the device fails in turn, once or from there on, during a workload of SQL: SQLite is told, nothing that was
/// acknowledged is lost, and when the device is well again the database is intact. (Of the later calls every fifth, unless
/// SPC_SOAK_SECONDS is set.)
/// </summary>
public sealed class FaultTests(ITestOutputHelper output)
{
    private const int Full = 13;

    [Theory]
    [InlineData("DELETE", true)]
    [InlineData("DELETE", false)]
    [InlineData("TRUNCATE", true)]
    [InlineData("WAL", true)]
    [InlineData("WAL", false)]
    public void Every_call_of_the_device_fails(string mode, bool once)
    {
        var codes = new SortedSet<int>();
        var call = 0;
        var all = Environment.GetEnvironmentVariable("SPC_SOAK_SECONDS") is not null;
        do
        {
            call += all || call < 80 ? 1 : 5;
        }
        while (Run(mode, call, once, codes));

        output.WriteLine($"{call} calls, codes {Text(codes)}");
        Assert.True(call > 30, $"{call} calls");
        Assert.Contains(ResultCode.IoSync, codes);
        Assert.Contains(ResultCode.IoRead, codes);
        if (mode == "DELETE")
        {
            Assert.Contains(ResultCode.IoDelete, codes);
        }
    }

    /// <summary>Pages of 1 KiB: what is written is a part of a page of the cache, which may have to be read first.</summary>
    [Fact]
    public void Every_read_of_the_device_fails_while_pages_are_changed_in_part()
    {
        var disk = new SectorDevice(8 << 20, 4096);
        using (var store = Open(disk, isNew: true))
        using (var connection = store.Connect("main"))
        {
            connection.Run("PRAGMA page_size=1024; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0");
            StampedTable.Create(connection);
            connection.Rows("PRAGMA wal_checkpoint(TRUNCATE)");
            StampedTable.Stamp(connection, 1);
            store.Branch("main", "branch");
        }

        // The branch has a log that nobody has copied yet: a checkpoint reads it and writes to a database that is not in memory.
        var codes = new SortedSet<int>();
        var (call, isOver) = (0, false);
        while (!isOver)
        {
            var device = new FailNthCallDevice(disk, DeviceCalls.Read);
            using (var store = Open(device, isNew: false))
            {
                device.FailAt = device.Calls + ++call;
                SqliteConnection? connection = null;
                Note(CodeOf(() => connection = store.Connect("branch")));
                using (connection)
                {
                    Note(CodeOf(() => connection?.Rows("SELECT max(stamp) FROM t")));
                    Note(CodeOf(() => connection?.Rows("PRAGMA wal_checkpoint(PASSIVE)")));
                }

                isOver = device.Failures == 0;
                device.Heal();
                Assert.Equal(1, StampedTable.Read(store, "branch"));
                store.Cache.Verify();
            }

            using (var prepared = Open(disk, isNew: false))
            {
                prepared.Delete("branch");
                using var connection = prepared.Connect("main");
                connection.Run("PRAGMA wal_autocheckpoint=0");
                StampedTable.Stamp(connection, 1);
                prepared.Branch("main", "branch");
            }
        }

        output.WriteLine($"{call} reads, codes {Text(codes)}");
        Assert.True(call > 5, $"{call} reads");
        Assert.Contains(ResultCode.IoWrite, codes);
        void Note(SqliteException? error)
        {
            if (error is not null)
            {
                codes.Add(error.SqliteExtendedErrorCode);
            }
        }
    }

    [Fact]
    public void Every_read_of_the_device_fails_while_pages_are_read_in_place()
    {
        var disk = new SectorDevice(8 << 20, 4096);
        using (var store = Open(disk, isNew: true))
        using (var connection = store.Connect("main"))
        {
            StampedTable.Create(connection);
        }

        var codes = new SortedSet<int>();
        var isOver = false;
        for (var call = 1; !isOver; call++)
        {
            var device = new FailNthCallDevice(disk, DeviceCalls.Read);
            using var store = Open(device, isNew: false);
            device.FailAt = device.Calls + call;
            var error = CodeOf(() =>
            {
                using var connection = store.Connect("main");
                connection.Rows("SELECT id, stamp, length(filling) FROM t");
            });
            if (error is not null)
            {
                codes.Add(error.SqliteExtendedErrorCode);
            }

            isOver = device.Failures == 0;
            device.Heal();
            Assert.Equal(0, StampedTable.Read(store, "main"));
        }

        output.WriteLine($"codes {Text(codes)}");
        Assert.Contains(ResultCode.IoRead, codes);
        Assert.Contains(ResultCode.IoFetch, codes);
    }

    [Theory]
    [InlineData("DELETE")]
    [InlineData("WAL")]
    public void Memory_that_is_not_there_is_told_as_such(string mode)
    {
        const int NoMemory = 7;
        var codes = new SortedSet<int>();
        for (var call = 1; Run(mode, call, once: true, codes, new OutOfMemoryException("There is no memory.")); call += call < 40 ? 1 : 7)
        {
        }

        output.WriteLine($"codes {Text(codes)}");

        // SQLite makes SQLITE_NOMEM of SQLITE_IOERR_NOMEM.
        Assert.Contains(NoMemory, codes);
    }

    [Theory]
    [InlineData("DELETE")]
    [InlineData("WAL")]
    public void A_full_store_refuses_transactions_and_its_databases_are_intact_and_can_be_read_and_deleted(string mode)
    {
        using var store = new TestStore(capacityBytes: 6 << 20);
        using (var connection = store.Store.Connect("main"))
        {
            connection.Run($"PRAGMA journal_mode={mode}; PRAGMA cache_size=6");
            StampedTable.Create(connection);
        }

        // Branches that are written until nothing goes any more. They share nothing then.
        var (branches, error) = (0, default(SqliteException));
        while (error is null)
        {
            store.Store.Branch("main", $"branch {branches}");
            using var connection = store.Store.Connect($"branch {branches}");
            connection.Run("PRAGMA cache_size=6");
            error = CodeOf(() => StampedTable.Stamp(connection, 1));
            if (error is not null)
            {
                Assert.Equal(Full, error.SqliteErrorCode);
                Assert.IsType<VolumeFullException>(store.Store.LastFailure);
                Assert.Equal(0, StampedTable.Read(connection));
            }

            branches++;
        }

        Assert.True(branches > 3, $"{branches} branches");
        Assert.Equal(0, StampedTable.Read(store, $"branch {branches - 1}"));
        for (var i = 0; i < branches - 1; i++)
        {
            Assert.Equal(1, StampedTable.Read(store, $"branch {i}"));
        }

        // A growing database is refused as well, and keeps what it had.
        using (var connection = store.Store.Connect("growing"))
        {
            Assert.Equal(Full, CodeOf(() => connection.Run("CREATE TABLE g AS SELECT zeroblob(8000000) AS x"))?.SqliteErrorCode);
            Assert.Equal(0, connection.Get<int>("SELECT count(*) FROM sqlite_master"));
        }

        // Deleting makes room.
        store.Store.Delete("branch 0");
        store.Store.Delete("branch 1");
        store.Reopen();
        using (var connection = store.Store.Connect($"branch {branches - 1}"))
        {
            StampedTable.Stamp(connection, 2);
            Assert.Equal(2, StampedTable.Read(connection));
        }
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void What_a_closed_store_is_asked_is_an_error_and_nothing_worse(HomeKind home)
    {
        using var store = new TestStore(home);
        var connection = store.Store.Connect("main");
        StampedTable.Create(connection);
        var path = store.Store.GetConnectionString("main");
        store.Store.Dispose();
        Assert.Equal(10, CodeOf(() => StampedTable.Stamp(connection, 1))?.SqliteErrorCode);
        Assert.NotNull(CodeOf(() => connection.Rows("SELECT * FROM t")));
        connection.Dispose();
        using var late = new SqliteConnection(path);
        Assert.Throws<SqliteException>(late.Open);
        Assert.Throws<ObjectDisposedException>(() => store.Store.Create("other"));
    }

    /// <summary>One workload. Returns whether the call that was to fail has come.</summary>
    private static bool Run(string mode, int call, bool once, SortedSet<int> codes, Exception? failure = null)
    {
        var disk = new SectorDevice(8 << 20, 4096);
        using (var prepared = Open(disk, isNew: true))
        using (var connection = prepared.Connect("main"))
        {
            connection.Run($"PRAGMA journal_mode={mode}");
            StampedTable.Create(connection);
        }

        var device = new FailNthCallDevice(disk) { FailAt = call, Forever = !once };
        if (failure is not null)
        {
            device.Failure = (_, _) => failure;
        }

        var possible = new HashSet<int> { 0 };
        SqliteBranchStore? store = null;
        try
        {
            store = Open(device, isNew: false);
            Work(store, possible, codes);
            device.Heal();
            Assert.Contains(StampedTable.Read(store, "main"), possible);
            store.Cache.Verify();
        }
        catch (Exception error) when (store is null && device.Failures > 0 && error is IOException or OutOfMemoryException)
        {
            // The store could not be opened.
            device.Heal();
        }

        store?.Dispose();
        using var again = Open(disk, isNew: false);
        Assert.Contains(StampedTable.Read(again, "main"), possible);
        foreach (var branch in again.Databases.Where(static database => database.Name != "main"))
        {
            StampedTable.Read(again, branch.Name);
        }

        return device.Failures > 0;
    }

    private static void Work(SqliteBranchStore store, HashSet<int> possible, SortedSet<int> codes)
    {
        SqliteConnection? connection = null;
        for (var attempt = 0; connection is null && attempt < 3; attempt++)
        {
            Note(CodeOf(() => connection = store.Connect("main")));
        }

        if (connection is null)
        {
            return;
        }

        using var open = connection;
        Note(CodeOf(() => connection.Run("PRAGMA cache_size=6; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=40")));
        for (var stamp = 1; stamp <= 2; stamp++)
        {
            var error = CodeOf(() => StampedTable.Stamp(connection, stamp));
            Note(error);
            if (error is null)
            {
                possible.Clear();
            }

            // Of a commit that failed one cannot know.
            possible.Add(stamp);
            store.Branch("main", $"branch {stamp}");
        }

        void Note(SqliteException? error)
        {
            if (error is not null)
            {
                codes.Add(error.SqliteExtendedErrorCode);
            }
        }
    }

    private static SqliteBranchStore Open(IBlockDevice device, bool isNew) => SqliteBranchStore.Open(
        isNew ? CowVolume.Create(device) : CowVolume.Open(device), "device", new SqliteBranchStoreOptions { CacheBytes = 2 << 20 });

    private static string Text(IEnumerable<int> codes) => string.Join(' ', codes.Select(static code => $"{code & 0xFF}|{code >> 8}"));

    private static SqliteException? CodeOf(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (SqliteException error)
        {
            return error;
        }
    }
}
