using Microsoft.Data.Sqlite;
using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Files;
using SharedPageCache.Sqlite.Homes;
using SharedPageCache.Sqlite.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>
/// Every call that changes names fails in turn, once or from there on, during SQL, branches, renames, imports and deletions: what
/// was acknowledged is there, every database is intact, and the store's books say what the home says.
/// </summary>
public sealed class HomeFaultTests(ITestOutputHelper output)
{
    public static TheoryData<string, bool, bool> Cases
    {
        get
        {
            var cases = new TheoryData<string, bool, bool>();
            foreach (var mode in new[] { "DELETE", "PERSIST", "WAL" })
            {
                foreach (var once in new[] { true, false })
                {
                    cases.Add(mode, once, true);
                    cases.Add(mode, once, false);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Every_call_for_a_name_fails(string mode, bool once, bool namesAgain)
    {
        var codes = new SortedSet<int>();
        var call = 0;
        do
        {
            call++;
        }
        while (await RunAsync(mode, call, once, namesAgain, codes));

        output.WriteLine($"{call} calls, codes {string.Join(' ', codes.Select(static code => $"{code & 0xFF}|{code >> 8}"))}");
        Assert.True(call > 10, $"{call} calls");
        Assert.Contains(ResultCode.CannotOpen, codes);
        if (mode == "DELETE")
        {
            Assert.Contains(ResultCode.IoDelete, codes);
        }
    }

    /// <summary>One workload. Returns whether the call that was to fail has come.</summary>
    private static async Task<bool> RunAsync(string mode, int call, bool once, bool namesAgain, SortedSet<int> codes)
    {
        using var folder = new TemporaryFolder();
        var disk = new SectorDevice(8 << 20, 4096);
        using (var ordinary = new SqliteConnection($"Data Source={folder.PathOf("ordinary.db")};Pooling=False"))
        {
            ordinary.Open();
            StampedTable.Create(ordinary);
        }

        var possible = new HashSet<int> { 0 };
        FailingHome? home = null;
        using (var store = SqliteBranchStore.Open("disk", new SqliteBranchStoreOptions { CacheBytes = 4 << 20 }, cache =>
            home = new FailingHome(new VolumeHome(CowVolume.Create(disk), "disk", cache)) { NamesAgain = namesAgain }))
        {
            using (var connection = store.Connect("main"))
            {
                connection.Run($"PRAGMA journal_mode={mode}");
                StampedTable.Create(connection);
            }

            (home!.FailAt, home.Forever) = (home.Calls + call, !once);
            for (var stamp = 1; stamp <= 2; stamp++)
            {
                Transact(store, stamp, possible, codes);
                Try(() => store.Branch("main", $"branch {stamp}"));
            }

            Try(() => store.Rename("branch 1", "renamed"));
            Try(() => store.Create("empty"));
            try
            {
                await store.ImportAsync(folder.PathOf("ordinary.db"), "imported");
            }
            catch (IOException)
            {
                // It is not there then, as the books say.
            }

            Try(() => store.Delete("empty"));
            var failed = home.Failures > 0;
            home.Heal();
            Check(store, possible);
            Assert.Equal(store.Databases.Select(static database => database.Name), home.Names.Where(DatabaseName.IsValid).Order(StringComparer.Ordinal));
            store.Cache.Verify();
            if (!failed)
            {
                return false;
            }
        }

        using var again = SqliteBranchStore.Open(CowVolume.Open(disk), "disk", new SqliteBranchStoreOptions { CacheBytes = 4 << 20 });
        Check(again, possible);
        return true;
    }

    private static void Transact(SqliteBranchStore store, int stamp, HashSet<int> possible, SortedSet<int> codes)
    {
        try
        {
            using var connection = store.Connect("main");
            connection.Run("PRAGMA cache_size=6; PRAGMA synchronous=FULL");
            StampedTable.Stamp(connection, stamp);
            possible.Clear();
        }
        catch (SqliteException error)
        {
            codes.Add(error.SqliteExtendedErrorCode);
        }

        possible.Add(stamp);
    }

    private static void Check(SqliteBranchStore store, HashSet<int> possible)
    {
        Assert.Contains(StampedTable.Read(store, "main"), possible);
        foreach (var database in store.Databases.Where(static database => database.Name is not ("main" or "empty")))
        {
            Assert.InRange(StampedTable.Read(store, database.Name), 0, 2);
        }
    }

    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (IOException)
        {
            // It has not been done, and the books say so.
        }
    }
}
