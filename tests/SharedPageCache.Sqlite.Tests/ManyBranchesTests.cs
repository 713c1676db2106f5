using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>A thousand branches cost what one database costs.</summary>
public sealed class ManyBranchesTests
{
    [Theory]
    [InFile("DELETE", "WAL")]
    [OnXfs("DELETE", "WAL")]
    [OnBtrfs("DELETE", "WAL")]
    public void A_thousand_branches_read_in_full_share_every_page_and_read_nothing(HomeKind home, string mode)
    {
        const int Branches = 1000;
        using var store = new TestStore(home, cacheBytes: 32 << 20);
        using var main = store.Store.Connect("main");
        main.Run($"PRAGMA journal_mode={mode}");
        StampedTable.Create(main);
        for (var i = 0; i < Branches; i++)
        {
            store.Store.Branch(i % 3 == 0 ? "main" : $"branch {i - 1}", $"branch {i}");
        }

        Assert.Equal(0, StampedTable.Read(main));
        var before = store.Store.Cache.GetStatistics();
        Parallel.For(0, Branches, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            // For reading only: closing a connection that may write copies the log into the database.
            using var branch = store.Store.Connect($"branch {i}", mode == "WAL" ? "Mode=ReadOnly" : "");
            Assert.Equal(StampedTable.Rows, branch.Get<int>("SELECT count(*) FROM t WHERE length(filling) = 900"));
        });
        var after = store.Store.Cache.GetStatistics();
        Assert.Equal(before.DevicePagesRead, after.DevicePagesRead);
        Assert.True(after.ResidentBytes <= before.ResidentBytes * 1.02, $"{after.ResidentBytes} after {before.ResidentBytes}");

        // Every tenth is written: nobody else sees it.
        for (var i = 0; i < Branches; i += 10)
        {
            using var branch = store.Store.Connect($"branch {i}");
            branch.Run("PRAGMA synchronous=OFF; UPDATE t SET stamp = 1 WHERE id = 1");
        }

        for (var i = 0; i < Branches; i += 5)
        {
            using var branch = store.Store.Connect($"branch {i}");
            Assert.Equal(i % 10 == 0 ? 1 : 0, branch.Get<int>("SELECT stamp FROM t WHERE id = 1"));
            branch.CheckIntegrity();
        }
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_branch_needs_no_device_and_no_time_that_grows_with_the_database(HomeKind home)
    {
        using var store = new TestStore(home);
        using var main = store.Store.Connect("main");
        StampedTable.Create(main);
        main.Run("INSERT INTO t SELECT id + 1000, 0, randomblob(40000) FROM t");
        var before = store.Store.Cache.GetStatistics();
        var bytes = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            store.Store.Branch("main", $"branch {i}");
        }

        bytes = GC.GetAllocatedBytesForCurrentThread() - bytes;
        var after = store.Store.Cache.GetStatistics();
        Assert.Equal((before.DeviceReads, before.DeviceWrites), (after.DeviceReads, after.DeviceWrites));
        if (home == HomeKind.File)
        {
            Assert.InRange(bytes / 100, 1, 4096);
        }
    }
}
