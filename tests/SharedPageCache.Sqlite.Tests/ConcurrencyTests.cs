using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>Several connections and threads: readers see whole transactions, writers take turns.</summary>
public sealed class ConcurrencyTests
{
    [Theory]
    [InFile("DELETE", "WAL")]
    [OnXfs("DELETE", "WAL")]
    [OnBtrfs("DELETE", "WAL")]
    public async Task Readers_and_writers_of_one_database(HomeKind home, string mode)
    {
        using var store = new TestStore(home, cacheBytes: 2 << 20);
        using (var connection = store.Store.Connect("main"))
        {
            connection.Run($"PRAGMA journal_mode={mode}; CREATE TABLE accounts(id INTEGER PRIMARY KEY, amount INTEGER, filling BLOB)");
            connection.Run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO accounts SELECT i, 100, zeroblob(500) FROM n");
        }

        var writes = 0;
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 2).Select(number => Task.Run(() =>
        {
            var random = new Random(number);
            using var connection = store.Store.Connect("main");
            for (var i = 0; i < 25; i++)
            {
                connection.Run(
                    "BEGIN IMMEDIATE; UPDATE accounts SET amount = amount - 7 WHERE id = $from; UPDATE accounts SET amount = amount + 7 WHERE id = $to; COMMIT",
                    ("$from", 1 + random.Next(500)), ("$to", 1 + random.Next(500)));
                Interlocked.Increment(ref writes);
            }
        })).ToList();
        var readers = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            using var connection = store.Store.Connect("main");
            while (!stop.IsCancellationRequested)
            {
                Assert.Equal(50_000, connection.Get<int>("SELECT sum(amount) FROM accounts"));
                Thread.Sleep(1);
            }
        })).ToList();
        await Task.WhenAll(writers).WaitAsync(TimeSpan.FromMinutes(3));
        await stop.CancelAsync();
        await Task.WhenAll(readers).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(50, writes);
        using var last = store.Store.Connect("main");
        last.CheckIntegrity();
        Assert.Equal(50_000, last.Get<int>("SELECT sum(amount) FROM accounts"));
    }

    [Theory]
    [InFile]
    [OnXfs]
    [OnBtrfs]
    public void A_reader_keeps_its_state_while_the_log_goes_on_and_a_checkpoint_leaves_it_alone(HomeKind home)
    {
        using var store = new TestStore(home);
        using var writer = store.Store.Connect("main");
        writer.Run("PRAGMA journal_mode=WAL");
        StampedTable.Create(writer);
        using var reader = store.Store.Connect("main");
        reader.Run("BEGIN");
        Assert.Equal(0, reader.Get<int>("SELECT max(stamp) FROM t"));
        for (var stamp = 1; stamp <= 5; stamp++)
        {
            StampedTable.Stamp(writer, stamp);
            Assert.StartsWith("0|", writer.Rows("PRAGMA wal_checkpoint(PASSIVE)"), StringComparison.Ordinal);
            Assert.Equal(0, StampedTable.Read(reader));
        }

        reader.Run("COMMIT");
        Assert.Equal(5, StampedTable.Read(reader));
        Assert.Equal("0|0|0", writer.Rows("PRAGMA wal_checkpoint(TRUNCATE)"));
        Assert.False(store.Store.Catalog.Exists("main-wal"));
        Assert.Equal(5, StampedTable.Read(reader));
    }
}
