using System.Globalization;

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>Writes transaction after transaction, and branches, and says what is durable, until it is killed.</summary>
internal static class KilledWriter
{
    public static void Run(string path, string mode)
    {
        var store = SqliteBranchStore.Open(path, new SqliteBranchStoreOptions { CacheBytes = 4 << 20, CapacityBytes = 64 << 20 });
        using var connection = store.Connect("main");
        connection.Run($"PRAGMA journal_mode={mode}; PRAGMA synchronous=FULL; PRAGMA cache_size=6; PRAGMA wal_autocheckpoint=30");
        if (connection.Get<int>("SELECT count(*) FROM sqlite_master") == 0)
        {
            connection.Run("BEGIN");
            StampedTable.Create(connection);
            connection.Run("COMMIT");
        }

        for (var stamp = connection.Get<int>("SELECT max(stamp) FROM t") + 1; ; stamp++)
        {
            StampedTable.Stamp(connection, stamp);
            Console.WriteLine(stamp.ToString(CultureInfo.InvariantCulture));
            Console.Out.Flush();
            store.Branch("main", $"branch {stamp}");
            if (stamp > 3 && store.Exists($"branch {stamp - 3}"))
            {
                store.Delete($"branch {stamp - 3}");
            }
        }
    }
}
