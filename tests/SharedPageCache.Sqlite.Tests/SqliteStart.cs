using Microsoft.Data.Sqlite;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>The start of docs/sqlite.md: what stands between the markers stands there word for word.</summary>
public static class SqliteStart
{
    public static async Task RunAsync(string path)
    {
        // <sqlite>
        using var store = SqliteBranchStore.Open(path);                      // creates the file if there is none

        using (var connection = new SqliteConnection(store.GetConnectionString("main")))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "CREATE TABLE notes(text); INSERT INTO notes VALUES ('first')";
            command.ExecuteNonQuery();
        }

        store.Branch("main", "experiment");                                  // microseconds, whatever the size

        using (var connection = new SqliteConnection(store.GetConnectionString("experiment")))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "DELETE FROM notes; SELECT count(*) FROM notes";
            Console.WriteLine(command.ExecuteScalar());                      // 0; main still has its note
        }

        await store.FlushAsync();                                            // branches, names and all are durable
        store.Delete("experiment");
        // </sqlite>
    }
}
