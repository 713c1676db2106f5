using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>Point queries and inserts on a branch, beside SQLite's own VFS on the same data: in turns, on one thread.</summary>
internal static class SpeedLeg
{
    private const int Rounds = 5;
    private const int Queries = 40_000;

    /// <summary>The best round of each connection, in queries a second.</summary>
    public static double[] Query(SourceDatabase source, bool inTransaction, params SqliteConnection[] connections)
    {
        var best = new double[connections.Length];
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < connections.Length; i++)
                best[i] = Math.Max(best[i], Query(connections[i], source, round, inTransaction));
        }

        return best;
    }

    /// <summary>The best of a few bulk inserts into new databases, each in one transaction, in rows a second.</summary>
    public static double[] Insert(int rows, params Func<int, string>[] newDatabases)
    {
        var best = new double[newDatabases.Length];
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < newDatabases.Length; i++)
            {
                using SqliteConnection connection = Sql.Open(newDatabases[i](round));
                connection.Run("PRAGMA synchronous=FULL; CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER, total REAL, note TEXT)");
                long start = Stopwatch.GetTimestamp();
                using SqliteTransaction transaction = connection.BeginTransaction();
                using var insert = new SourceDatabase.RowInsert(connection, transaction);
                for (int row = 0; row < rows; row++)
                    insert.Next();
                transaction.Commit();
                best[i] = Math.Max(best[i], rows / Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        return best;
    }

    private static double Query(SqliteConnection connection, SourceDatabase source, int seed, bool inTransaction)
    {
        using SqliteTransaction? transaction = inTransaction ? connection.BeginTransaction(deferred: true) : null;
        using SqliteCommand command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = $"SELECT * FROM {source.Table} WHERE rowid = $row";
        SqliteParameter row = command.Parameters.Add("$row", SqliteType.Integer);
        command.Prepare();
        var random = new Random(seed);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < Queries; i++)
        {
            row.Value = 1 + random.NextInt64(source.LastRow);
            using SqliteDataReader reader = command.ExecuteReader();
            if (reader.Read())
                reader.GetValue(reader.FieldCount - 1);
        }

        return Queries / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
