using Microsoft.Data.Sqlite;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>What SQLite itself allocates for a connection that has queried for a while.</summary>
internal static class MemoryLeg
{
    private const int Connections = 8;
    private const int Queries = 3_000;

    public static long BytesOfConnection(SourceDatabase source, Func<int, string> connectionString)
    {
        long before = SQLitePCL.raw.sqlite3_memory_used();
        var open = new List<SqliteConnection>();
        for (int i = 0; i < Connections; i++)
        {
            SqliteConnection connection = Sql.Open(connectionString(i));
            open.Add(connection);
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = $"SELECT * FROM {source.Table} WHERE rowid = $row";
            SqliteParameter row = command.Parameters.Add("$row", SqliteType.Integer);
            var random = new Random(i);
            for (int query = 0; query < Queries; query++)
            {
                row.Value = 1 + random.NextInt64(source.LastRow);
                using SqliteDataReader reader = command.ExecuteReader();
                reader.Read();
            }
        }

        long used = SQLitePCL.raw.sqlite3_memory_used() - before;
        open.ForEach(connection => connection.Dispose());
        return used / Connections;
    }
}
