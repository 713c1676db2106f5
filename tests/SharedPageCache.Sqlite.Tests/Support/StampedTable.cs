using Microsoft.Data.Sqlite;

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>A table over many pages in which every row bears the number of the transaction that wrote it last: all bear the same.</summary>
internal static class StampedTable
{
    public const int Rows = 60;

    public static void Create(SqliteConnection connection) => connection.Run(
        $"""
        CREATE TABLE t(id INTEGER PRIMARY KEY, stamp INTEGER, filling BLOB);
        CREATE INDEX i ON t(stamp, id);
        WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {Rows})
        INSERT INTO t SELECT id, 0, zeroblob(900) FROM n;
        """);

    /// <summary>Changes every row, and so every page.</summary>
    public static void Stamp(SqliteConnection connection, int stamp) =>
        connection.Run("UPDATE t SET stamp = $stamp, filling = randomblob(900)", ("$stamp", stamp));

    /// <summary>The one stamp of all rows, in a database that is intact; fails if there are several.</summary>
    public static int Read(SqliteConnection connection)
    {
        connection.CheckIntegrity();
        Assert.Equal(Rows, connection.Get<int>("SELECT count(*) FROM t"));
        return int.Parse(connection.Rows("SELECT DISTINCT stamp FROM t"), System.Globalization.CultureInfo.InvariantCulture);
    }

    public static int Read(SqliteBranchStore store, string name)
    {
        using var connection = store.Connect(name);
        return Read(connection);
    }
}
