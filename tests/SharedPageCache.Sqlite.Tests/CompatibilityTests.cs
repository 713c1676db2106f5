using System.Globalization;
using Microsoft.Data.Sqlite;
using SharedPageCache.Sqlite.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>
/// The same random statements on a store and on SQLite's own VFS: each gives the same rows, the same count of changes, the
/// same error; in the end both databases have the same content.
/// </summary>
public sealed class CompatibilityTests(ITestOutputHelper output)
{
    private const int TransactionsOfMode = 1_250;

    public static IEnumerable<object[]> Modes => [["DELETE", 4096], ["TRUNCATE", 1024], ["PERSIST", 4096], ["WAL", 4096]];

    [Theory]
    [InFile(Rows = nameof(Modes))]
    [OnXfs(Rows = nameof(Modes))]
    [OnBtrfs(Rows = nameof(Modes))]
    public void Every_statement_gives_what_it_gives_on_the_other_vfs(HomeKind home, string mode, int pageSize)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("SPC_SEED"), out var given) ? given : Random.Shared.Next();
        output.WriteLine($"seed {seed}; again: SPC_SEED={seed} dotnet test --filter {nameof(CompatibilityTests)}");
        var random = new Random(seed);
        using var store = new TestStore(home, cacheBytes: 4 << 20);
        using var ordinary = new SqliteConnection($"Data Source={store.PathOf("ordinary.db")};Pooling=False");
        ordinary.Open();
        var ours = store.Store.Connect("main");
        string[] first =
        [
            $"PRAGMA page_size={pageSize}", $"PRAGMA journal_mode={mode}", "PRAGMA synchronous=OFF", "PRAGMA foreign_keys=ON", "PRAGMA cache_size=20",
            "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n REAL)",
            "CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent(id) ON DELETE CASCADE, x BLOB, CHECK(id < 100000))",
            "CREATE INDEX child_x ON child(x, parent)",
            "CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT)",
            "CREATE TRIGGER note AFTER DELETE ON parent BEGIN INSERT INTO log(what) VALUES ('deleted ' || old.name); END",
        ];
        foreach (var sql in first)
        {
            Same(sql);
        }

        for (var transaction = 0; transaction < TransactionsOfMode; transaction++)
        {
            var isExplicit = random.Next(2) == 0;
            if (isExplicit)
            {
                Same(random.Next(2) == 0 ? "BEGIN" : "BEGIN IMMEDIATE");
            }

            for (var i = isExplicit ? random.Next(6) : 0; i >= 0; i--)
            {
                Same(Statement(random));
            }

            if (isExplicit)
            {
                Same(random.Next(4) == 0 ? "ROLLBACK" : "COMMIT");
            }

            if (transaction % 100 == 99)
            {
                Same("PRAGMA integrity_check");
                Same("PRAGMA page_count");

                // The rest of the way as a branch.
                var name = $"after {transaction}";
                store.Store.Branch(transaction == 99 ? "main" : $"after {transaction - 100}", name);
                ours.Dispose();
                ours = store.Store.Connect(name);
                ordinary.Close();
                ordinary.Open();
                foreach (var pragma in first[2..5])
                {
                    Same(pragma);
                }
            }
        }

        foreach (var table in new[] { "parent", "child", "log", "sqlite_master" })
        {
            Same($"SELECT * FROM {table} ORDER BY rowid");
        }

        ours.Dispose();

        void Same(string sql)
        {
            var (expected, actual) = (Outcome(ordinary, sql), Outcome(ours, sql));
            Assert.True(expected == actual, $"seed {seed}: {sql}\nexpected {expected}\nactual   {actual}");
        }
    }

    /// <summary>Everything that a caller can see of a statement.</summary>
    private static string Outcome(SqliteConnection connection, string sql)
    {
        try
        {
            return $"{connection.Rows(sql)} changes {connection.Rows("SELECT changes(), total_changes(), last_insert_rowid()")}";
        }
        catch (SqliteException error)
        {
            return $"error {error.SqliteExtendedErrorCode} {error.Message}";
        }
    }

    private static string Statement(Random random)
    {
        string Text(int most) => "'" + new string((char)('a' + random.Next(26)), random.Next(most)) + random.Next(400).ToString(CultureInfo.InvariantCulture) + "'";
        var id = random.Next(300);
        return random.Next(16) switch
        {
            0 or 1 => $"INSERT INTO parent(name, n) VALUES ({Text(30)}, {random.Next(1000)} / 7.0)",
            2 => $"INSERT OR REPLACE INTO parent(id, name, n) VALUES ({id}, {Text(200)}, {id})",
            3 or 4 => $"INSERT INTO child(parent, x) SELECT id, zeroblob({random.Next(3000)}) FROM parent WHERE id % 50 = {random.Next(50)}",
            5 => $"INSERT INTO child(id, parent, x) VALUES ({random.Next(120_000)}, {id}, {Text(9000)})",
            6 => $"UPDATE parent SET n = n + 1, name = name || 'x' WHERE id BETWEEN {id} AND {id + random.Next(30)}",
            7 => $"UPDATE child SET x = x || {Text(100)} WHERE parent % 20 = {random.Next(20)} AND length(x) < 5000",
            8 => $"DELETE FROM parent WHERE id = {id}",
            9 => $"DELETE FROM child WHERE id % 7 = {random.Next(7)} AND id > {random.Next(2000)}",
            10 => $"SELECT name, n, count(child.id) FROM parent LEFT JOIN child ON parent = parent.id GROUP BY name ORDER BY name LIMIT {random.Next(40)}",
            11 => $"SELECT id, parent, length(x) FROM child WHERE x > {Text(3)} ORDER BY x, id LIMIT 20",
            12 => "SELECT count(*), sum(length(x)), max(id) FROM child",
            13 => $"SAVEPOINT s; DELETE FROM log WHERE id % 3 = {random.Next(3)}; {(random.Next(2) == 0 ? "ROLLBACK TO s; " : "")}RELEASE s",
            14 when random.Next(10) == 0 => "VACUUM",
            14 when random.Next(10) == 0 => random.Next(2) == 0 ? $"CREATE TABLE IF NOT EXISTS extra{id % 5}(a, b)" : $"DROP TABLE IF EXISTS extra{id % 5}",
            _ => $"SELECT * FROM log WHERE id > {id} LIMIT 5",
        };
    }
}
