using System.Globalization;
using Microsoft.Data.Sqlite;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>Statements in one line each.</summary>
internal static class Sql
{
    public static SqliteConnection Open(string connectionString)
    {
        var connection = new SqliteConnection(connectionString);
        connection.Open();
        return connection;
    }

    /// <summary>The connection string of a file of the file system.</summary>
    public static string File(string path) => new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString();

    public static void Run(this SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public static long Number(this SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    public static bool IsIntact(this SqliteConnection connection)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check";
        return (string?)command.ExecuteScalar() == "ok";
    }
}
