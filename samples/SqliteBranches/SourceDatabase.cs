using Microsoft.Data.Sqlite;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>The database that is branched, as an ordinary file, and the table of it that is queried.</summary>
/// <param name="Path">The file.</param>
/// <param name="Table">The table with the most rows, quoted.</param>
/// <param name="Rows">How many rows it has.</param>
/// <param name="LastRow">The greatest row id.</param>
internal sealed record SourceDatabase(string Path, string Table, long Rows, long LastRow)
{
    private const int RowBytes = 220;

    public long Bytes => new FileInfo(Path).Length;

    /// <summary>Builds a database of orders, of about the size.</summary>
    public static SourceDatabase Build(string path, long bytes, Action<double> progress)
    {
        using (SqliteConnection connection = Sql.Open(Sql.File(path)))
        {
            connection.Run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER, total REAL, note TEXT)");
            using SqliteTransaction transaction = connection.BeginTransaction();
            using var insert = new RowInsert(connection, transaction);
            long rows = bytes / RowBytes;
            for (long row = 0; row < rows; row++)
            {
                insert.Next();
                if (row % 10_000 == 0)
                    progress((double)row / rows);
            }

            transaction.Commit();
        }

        progress(1);
        return Of(path);
    }

    /// <summary>Looks at a database that exists.</summary>
    public static SourceDatabase Of(string path)
    {
        using SqliteConnection connection = Sql.Open(Sql.File(path) + ";Mode=ReadOnly");
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE '%WITHOUT ROWID%' AND sql NOT LIKE 'CREATE VIRTUAL%'";
        var names = new List<string>();
        using (SqliteDataReader reader = command.ExecuteReader())
        {
            while (reader.Read())
                names.Add('"' + reader.GetString(0).Replace("\"", "\"\"", StringComparison.Ordinal) + '"');
        }

        return names
            .Select(name => new SourceDatabase(path, name, connection.Number($"SELECT count(*) FROM {name}"), 0))
            .OrderByDescending(database => database.Rows)
            .Select(database => database with { LastRow = connection.Number($"SELECT coalesce(max(rowid), 0) FROM {database.Table}") })
            .FirstOrDefault(database => database.Rows > 0)
            ?? throw new InvalidDataException($"'{path}' has no table with rows that could be queried.");
    }

    /// <summary>An insert of random orders, prepared once.</summary>
    internal sealed class RowInsert : IDisposable
    {
        private readonly SqliteCommand _command;
        private readonly SqliteParameter _customer;
        private readonly SqliteParameter _total;
        private readonly SqliteParameter _note;
        private readonly Random _random = new(1);
        private readonly char[] _text = new char[180];

        public RowInsert(SqliteConnection connection, SqliteTransaction transaction)
        {
            _command = connection.CreateCommand();
            _command.Transaction = transaction;
            _command.CommandText = "INSERT INTO orders(customer, total, note) VALUES ($customer, $total, $note)";
            _customer = _command.Parameters.Add("$customer", SqliteType.Integer);
            _total = _command.Parameters.Add("$total", SqliteType.Real);
            _note = _command.Parameters.Add("$note", SqliteType.Text);
        }

        public void Next()
        {
            _random.GetItems("abcdefghijklmnopqrstuvwxyz ", _text);
            _customer.Value = _random.Next(100_000);
            _total.Value = _random.Next(1_000_000) / 100.0;
            _note.Value = new string(_text);
            _command.ExecuteNonQuery();
        }

        public void Dispose() => _command.Dispose();
    }
}
