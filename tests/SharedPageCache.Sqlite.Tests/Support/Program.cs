using System.Runtime.InteropServices;

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>What this assembly does when a test starts it as a process.</summary>
internal static class Program
{
    public const string SystemLibrary = "libsqlite3.so.0";

    public static int Main(string[] args)
    {
        switch (args)
        {
            case ["write", var path, var mode]:
                KilledWriter.Run(path, mode);
                return 0;
            case ["system", var path]:
                BranchWithSystemLibrary(path);
                return 0;
            case ["first", var path]:
                // Nobody has used SQLite in this process.
                try
                {
                    using var store = SqliteBranchStore.Open(path, new SqliteBranchStoreOptions { CapacityBytes = 8 << 20 });
                    Console.WriteLine(store.Databases.Count);
                    return 0;
                }
                catch (InvalidOperationException error)
                {
                    Console.WriteLine(error.Message);
                    return 1;
                }

            default:
                Console.Error.WriteLine("usage: write STORE JOURNALMODE | system STORE | first STORE");
                return 2;
        }
    }

    /// <summary>Branches in both modes with the SQLite of the system in place of the bundled one.</summary>
    private static void BranchWithSystemLibrary(string path)
    {
        NativeLibrary.SetDllImportResolver(
            typeof(SQLitePCL.SQLite3Provider_e_sqlite3).Assembly, static (_, _, _) => NativeLibrary.Load(SystemLibrary));
        using var store = SqliteBranchStore.Open(path, new SqliteBranchStoreOptions { CapacityBytes = 64 << 20, NativeLibrary = SystemLibrary });
        foreach (var mode in new[] { "DELETE", "WAL" })
        {
            using var connection = store.Connect(mode);
            connection.Run($"PRAGMA journal_mode={mode}; PRAGMA cache_size=6");
            StampedTable.Create(connection);
            connection.Run("BEGIN");
            StampedTable.Stamp(connection, 1);
            store.Branch(mode, "branch");
            connection.Run("COMMIT");
            Console.WriteLine($"{mode} {StampedTable.Read(connection)} {StampedTable.Read(store, "branch")} {connection.Get<long>("PRAGMA mmap_size") > 0}");
            store.Delete("branch");
        }
    }
}
