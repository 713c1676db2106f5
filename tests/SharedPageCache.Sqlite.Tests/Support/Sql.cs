using Microsoft.Data.Sqlite;

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>Statements in one line each.</summary>
internal static class Sql
{
    public static SqliteConnection Connect(this SqliteBranchStore store, string name, string more = "")
    {
        var connection = new SqliteConnection(store.GetConnectionString(name) + ";" + more);
        connection.Open();
        return connection;
    }

    public static int Run(this SqliteConnection connection, string sql, params (string Name, object Value)[] parameters)
    {
        using var command = Command(connection, sql, parameters);
        return command.ExecuteNonQuery();
    }

    public static T Get<T>(this SqliteConnection connection, string sql, params (string Name, object Value)[] parameters)
    {
        using var command = Command(connection, sql, parameters);
        return (T)Convert.ChangeType(command.ExecuteScalar()!, typeof(T), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>All rows as text: fields separated by |, rows by a line end.</summary>
    public static string Rows(this SqliteConnection connection, string sql)
    {
        using var command = Command(connection, sql, []);
        using var reader = command.ExecuteReader();
        var lines = new List<string>();
        while (reader.Read())
        {
            lines.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(field =>
                reader.IsDBNull(field) ? "null"
                : reader.GetValue(field) is byte[] bytes ? Convert.ToHexString(bytes)
                : Convert.ToString(reader.GetValue(field), System.Globalization.CultureInfo.InvariantCulture))));
        }

        return string.Join('\n', lines);
    }

    /// <summary>Fails unless the database is intact.</summary>
    public static void CheckIntegrity(this SqliteConnection connection) =>
        Assert.Equal("ok", connection.Rows("PRAGMA integrity_check"));

    private static SqliteCommand Command(SqliteConnection connection, string sql, (string Name, object Value)[] parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }
}
