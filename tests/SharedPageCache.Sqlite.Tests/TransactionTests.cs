using Microsoft.Data.Sqlite;
using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>SQLite works on the VFS as on any other.</summary>
public sealed class TransactionTests
{
    [Theory]
    [InFile("DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL")]
    [OnXfs("DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL")]
    [OnBtrfs("DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL")]
    public void Commits_stay_and_rollbacks_leave_nothing(HomeKind home, string mode)
    {
        using var store = new TestStore(home);
        using (var connection = store.Store.Connect("main"))
        {
            Assert.Equal(mode, connection.Get<string>($"PRAGMA journal_mode={mode}").ToUpperInvariant());
            connection.Run("PRAGMA cache_size=6");
            StampedTable.Create(connection);
            StampedTable.Stamp(connection, 1);
            connection.Run("BEGIN");
            StampedTable.Stamp(connection, 2);
            connection.Run("SAVEPOINT s");
            StampedTable.Stamp(connection, 3);
            connection.Run("DELETE FROM t; ROLLBACK TO s; RELEASE s");
            Assert.Equal(2, StampedTable.Read(connection));
            connection.Run("ROLLBACK");
            Assert.Equal(1, StampedTable.Read(connection));
            connection.Run("BEGIN; INSERT INTO t SELECT id + 1000, 9, randomblob(900) FROM t; DELETE FROM t WHERE id > 1000; COMMIT; VACUUM");
            Assert.Equal(1, StampedTable.Read(connection));
        }

        store.Reopen();
        Assert.Equal(1, StampedTable.Read(store, "main"));
    }

    [Theory]
    [InFile(512, 1024, 4096, 8192, 65536)]
    [OnXfs(512, 1024, 4096, 8192, 65536)]
    [OnBtrfs(512, 1024, 4096, 8192, 65536)]
    public void Any_page_size_works(HomeKind home, int pageSize)
    {
        using var store = new TestStore(home);
        using (var connection = store.Store.Connect("main"))
        {
            connection.Run($"PRAGMA page_size={pageSize}; PRAGMA auto_vacuum=INCREMENTAL");
            StampedTable.Create(connection);
            StampedTable.Stamp(connection, 1);
            connection.Run("INSERT INTO t SELECT id + 1000, 1, randomblob(9000) FROM t; DELETE FROM t WHERE id > 1000; PRAGMA incremental_vacuum");
            Assert.Equal(pageSize, connection.Get<int>("PRAGMA page_size"));
        }

        store.Reopen();
        Assert.Equal(1, StampedTable.Read(store, "main"));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void Sorts_and_temporary_tables_go_to_files_of_the_system(HomeKind home)
    {
        using var store = new TestStore(home);
        using var connection = store.Store.Connect("main");
        connection.Run("PRAGMA temp_store=FILE; PRAGMA cache_size=10");
        connection.Run(
            """
            CREATE TEMP TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, hex(randomblob(50)) AS x FROM n;
            CREATE TABLE sorted AS SELECT * FROM big ORDER BY x;
            """);
        Assert.Equal(20_000, connection.Get<int>("SELECT count(*) FROM (SELECT x FROM sorted INTERSECT SELECT x FROM big)"));
        Assert.Equal(["main"], store.Store.Databases.Select(static database => database.Name));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void Vacuum_into_makes_another_database_of_the_store(HomeKind home)
    {
        using var store = new TestStore(home);
        using var connection = store.Store.Connect("main");
        StampedTable.Create(connection);
        connection.Run("VACUUM INTO 'copy'");
        Assert.Equal(0, StampedTable.Read(store, "copy"));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_backup_goes_in_and_out(HomeKind home)
    {
        using var store = new TestStore(home);
        using var connection = store.Store.Connect("main");
        StampedTable.Create(connection);
        using var outside = new SqliteConnection($"Data Source={store.PathOf("outside.db")};Pooling=False");
        outside.Open();
        connection.BackupDatabase(outside);
        Assert.Equal(0, StampedTable.Read(outside));
        StampedTable.Stamp(outside, 7);
        outside.BackupDatabase(connection);
        Assert.Equal(7, StampedTable.Read(connection));
    }

    [Theory]
    [InFile("DELETE", "WAL")]
    [OnXfs("DELETE", "WAL")]
    [OnBtrfs("DELETE", "WAL")]
    public void Pages_are_read_where_they_are(HomeKind home, string mode)
    {
        using var store = new TestStore(home);
        using (var connection = store.Store.Connect("main"))
        {
            connection.Run($"PRAGMA journal_mode={mode}");
            StampedTable.Create(connection);
        }

        // What is read by copy stays in the connection's own page cache, and is not asked for again; what is not, is.
        using var reader = store.Store.Connect("main");
        Assert.True(reader.Get<long>("PRAGMA mmap_size") > 1 << 30);
        var pages = reader.Get<int>("PRAGMA page_count");
        Assert.Equal(0, StampedTable.Read(reader));
        var before = store.Store.Cache.GetStatistics().Hits;
        Assert.Equal(0, StampedTable.Read(reader));
        Assert.True(store.Store.Cache.GetStatistics().Hits - before >= pages);
        reader.Run("PRAGMA mmap_size=0");
        Assert.Equal(0, StampedTable.Read(reader));
        before = store.Store.Cache.GetStatistics().Hits;
        Assert.Equal(0, StampedTable.Read(reader));
        Assert.True(store.Store.Cache.GetStatistics().Hits - before < pages);
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void Pages_are_pinned_as_long_as_they_are_held_and_only_whole_ranges_of_one_page(HomeKind home)
    {
        using var store = new TestStore(home);
        using (var connection = store.Store.Connect("main"))
        {
            StampedTable.Create(connection);
        }

        var main = Assert.IsType<MainFile>(store.Store.Files.TryOpen("main", OpenFlags.MainDatabase | OpenFlags.ReadWrite, out _));

        // Atomic in 512, 1K, 2K and 4K, and writes touch nothing beside them.
        Assert.Equal(0x1000 | (home == HomeKind.File ? 0x2 | 0x4 | 0x8 | 0x10 : 0), main.Characteristics);
        Assert.Equal(0, main.Fetch(main.File.Length, 1));
        Assert.Equal(0, main.Fetch(4095, 2));
        var first = main.Fetch(0, 4096);
        Assert.Equal(first + 100, main.Fetch(100, 8));
        main.Unfetch(100, first + 100);

        // From here on what was fetched is not handed out again: each of these is another pin.
        var pins = 1;
        for (var i = 0; i < 300; i++)
        {
            main.DropFetched();
            pins += main.Fetch(0, 4096) != 0 ? 1 : 0;
        }

        Assert.Equal(128, pins);

        // Closing gives back what is left: nothing is pinned when the store is verified at its end.
        main.Close();
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_cursor_that_stands_on_pages_does_not_see_them_change(HomeKind home)
    {
        using var store = new TestStore(home);
        using var connection = store.Store.Connect("main");
        StampedTable.Create(connection);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT id, stamp FROM t ORDER BY id";
        using (var rows = command.ExecuteReader())
        {
            for (var i = 0; rows.Read(); i++)
            {
                // The same connection may write below its own cursor.
                Assert.Equal(i + 1, rows.GetInt32(0));
                connection.Run("UPDATE t SET stamp = stamp + 1 WHERE id = $id", ("$id", i + 1));
                connection.Run("UPDATE t SET filling = randomblob(900) WHERE id = $id", ("$id", (i + 7) % StampedTable.Rows + 1));
            }
        }

        Assert.Equal(1, StampedTable.Read(connection));
    }
}
