using Microsoft.Data.Sqlite;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>
/// A branch that is cut at any moment of a transaction shows the last committed state: cut here before each single change
/// that SQLite makes to a file.
/// </summary>
public sealed class BranchMomentTests
{
    public static TheoryData<string, string> Modes
    {
        get
        {
            var modes = new TheoryData<string, string>();
            foreach (var mode in new[] { "DELETE", "TRUNCATE", "PERSIST", "WAL" })
            {
                // A page cache of a few pages spills into the database (or log) long before the commit.
                modes.Add(mode, "PRAGMA cache_size=-2000");
                modes.Add(mode, "PRAGMA cache_size=6; PRAGMA cache_spill=1");
                modes.Add(mode, "PRAGMA cache_size=6; PRAGMA locking_mode=EXCLUSIVE");
                modes.Add(mode, "PRAGMA synchronous=OFF");
            }

            return modes;
        }
    }

    [Theory]
    [InFile(Rows = nameof(Modes))]
    [OnXfs(Rows = nameof(Modes))]
    [OnBtrfs(Rows = nameof(Modes))]
    public void A_branch_before_any_change_of_a_file_shows_the_last_commit(HomeKind home, string mode, string more)
    {
        using var store = new TestStore(home);
        using var connection = store.Store.Connect("main");
        connection.Run($"PRAGMA journal_mode={mode}; {more}");
        StampedTable.Create(connection);
        var committed = 0;
        var cuts = 0;
        store.Store.Catalog.Find("main").BeforeChange = () =>
        {
            // Not more than a test has time for; all of the first, and then every few.
            if (++cuts < 40 || cuts % 7 == 0)
            {
                store.Store.Branch("main", $"{cuts} {committed}");
            }
        };

        foreach (var end in new[] { "COMMIT", "ROLLBACK", "COMMIT", "PRAGMA wal_checkpoint(TRUNCATE)", "COMMIT" })
        {
            if (end.StartsWith("PRAGMA", StringComparison.Ordinal))
            {
                connection.Run(end);
                continue;
            }

            connection.Run("BEGIN");
            StampedTable.Stamp(connection, committed + 1);
            connection.Run("SAVEPOINT s");
            StampedTable.Stamp(connection, -1);
            connection.Run("ROLLBACK TO s");
            connection.Run(end);
            committed += end == "COMMIT" ? 1 : 0;
        }

        store.Store.Catalog.Find("main").BeforeChange = null;
        Assert.Equal(3, StampedTable.Read(connection));
        connection.Dispose();
        var branches = store.Store.Databases.Where(static database => database.Name != "main").ToList();
        Assert.True(branches.Count > 30, $"{branches.Count} branches of {cuts} changes");
        foreach (var branch in branches)
        {
            // The commit takes effect at a change that is between the first and the last of its transaction.
            var least = int.Parse(branch.Name.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
            Assert.InRange(StampedTable.Read(store, branch.Name), least, least + 1);
            store.Store.Delete(branch.Name);
        }
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void Branches_of_two_databases_are_both_before_or_both_after_a_transaction_over_both(HomeKind home)
    {
        using var store = new TestStore(home);
        using var connection = store.Store.Connect("a");
        StampedTable.Create(connection);
        using (var other = store.Store.Connect("b"))
        {
            StampedTable.Create(other);
        }

        connection.Run($"PRAGMA cache_size=6; ATTACH '{store.Store.GetUri("b")}' AS b");
        var (moments, superJournals) = (0, 0);
        void Cut()
        {
            moments++;
            store.Store.Branch("a", $"a{moments}");
            store.Store.Branch("b", $"b{moments}");
        }

        store.Store.Catalog.Find("a").BeforeChange = Cut;
        store.Store.Catalog.Find("b").BeforeChange = Cut;
        store.Store.Catalog.BeforeSuperJournal = () =>
        {
            superJournals++;
            Cut();
        };
        connection.Run(
            """
            BEGIN;
            UPDATE main.t SET stamp = 1, filling = randomblob(900);
            UPDATE b.t SET stamp = 1, filling = randomblob(900);
            COMMIT
            """);
        store.Store.Catalog.Find("a").BeforeChange = null;
        store.Store.Catalog.Find("b").BeforeChange = null;
        store.Store.Catalog.BeforeSuperJournal = null;
        connection.Dispose();
        Assert.True(superJournals > 0, "the transaction has a super-journal");
        var stamps = Enumerable.Range(1, moments).Select(moment => StampedTable.Read(store, $"a{moment}")).ToList();
        Assert.Equal(stamps, Enumerable.Range(1, moments).Select(moment => StampedTable.Read(store, $"b{moment}")));
        Assert.Equal(stamps.Order(), stamps);
        Assert.Contains(0, stamps);
        Assert.Contains(1, stamps);
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_branch_during_an_open_transaction_that_has_not_touched_the_database_needs_no_recovery(HomeKind home)
    {
        using var store = new TestStore(home);
        using var connection = store.Store.Connect("main");
        StampedTable.Create(connection);
        connection.Run("PRAGMA synchronous=OFF; BEGIN; UPDATE t SET stamp = 1 WHERE id = 1");
        store.Store.Branch("main", "branch");

        // Without syncs a journal counts from its first byte on. For reading only it could not be played back.
        using var branch = store.Store.Connect("branch", "Mode=ReadOnly");
        Assert.Equal(0, StampedTable.Read(branch));
        connection.Run("COMMIT");
        Assert.Equal(1, connection.Get<int>("SELECT stamp FROM t WHERE id = 1"));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public async Task Branches_beside_writers_and_checkpoints_are_whole(HomeKind home)
    {
        using var store = new TestStore(home);
        foreach (var mode in new[] { "DELETE", "WAL" })
        {
            using (var connection = store.Store.Connect(mode))
            {
                connection.Run($"PRAGMA journal_mode={mode}");
                StampedTable.Create(connection);
            }

            using var stop = new CancellationTokenSource();
            var acknowledged = 0;
            var writer = Task.Run(() =>
            {
                using var connection = store.Store.Connect(mode);
                connection.Run("PRAGMA cache_size=6; PRAGMA wal_autocheckpoint=20");
                for (var stamp = 1; !stop.IsCancellationRequested; stamp++)
                {
                    StampedTable.Stamp(connection, stamp);
                    Volatile.Write(ref acknowledged, stamp);
                }
            });
            var checkpoints = Task.Run(() =>
            {
                using var connection = store.Store.Connect(mode);
                while (mode == "WAL" && !stop.IsCancellationRequested)
                {
                    connection.Rows("PRAGMA wal_checkpoint(PASSIVE)");
                }
            });
            for (var i = 0; (i < 60 || Volatile.Read(ref acknowledged) < 20) && !writer.IsCompleted; i++)
            {
                var least = Volatile.Read(ref acknowledged);
                store.Store.Branch(mode, "branch");
                var most = Volatile.Read(ref acknowledged) + 1;
                Assert.InRange(StampedTable.Read(store, "branch"), least, most);
                store.Store.Delete("branch");
            }

            await stop.CancelAsync();
            await Task.WhenAll(writer, checkpoints).WaitAsync(TimeSpan.FromMinutes(1));
        }
    }
}
