using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;
using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Tests.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Sqlite.Tests;

/// <summary>After a crash every database is intact and has what was acknowledged with <c>synchronous=FULL</c>; every branch is intact.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private static bool IsSoak => Environment.GetEnvironmentVariable("SPC_SOAK_SECONDS") is not null;

    [Theory]
    [InlineData("DELETE")]
    [InlineData("TRUNCATE")]
    [InlineData("PERSIST")]
    [InlineData("WAL")]
    public void The_power_goes_at_any_write(string mode)
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var (cut, isOver) = (0L, false);
        while (!isOver)
        {
            cut += IsSoak ? 1 : 1 + random.Next(6);
            var disk = new SectorDevice(8 << 20, 4096);
            using (var store = Open(disk, isNew: true))
            using (var connection = store.Connect("main"))
            {
                connection.Run($"PRAGMA journal_mode={mode}");
                StampedTable.Create(connection);
            }

            var acknowledged = 0;
            disk.CutPowerAfter(cut);
            try
            {
                isOver = Write(disk, stamp => acknowledged = stamp);
            }
            catch (Exception error) when (error is SqliteException or IOException)
            {
            }

            using var again = Open(disk.AfterPowerCut(random), isNew: false);
            var stamp = StampedTable.Read(again, "main");
            Assert.True(stamp == acknowledged || stamp == acknowledged + 1, $"seed {seed}, cut {cut}: {stamp} after {acknowledged}");
            foreach (var branch in again.Databases.Where(static database => database.Name != "main"))
            {
                var begun = int.Parse(branch.Name, CultureInfo.InvariantCulture);
                Assert.True(StampedTable.Read(again, branch.Name) is var own && (own == begun || own == 100), $"seed {seed}, cut {cut}: {branch}, {own}");
            }
        }

        output.WriteLine($"seed {seed}: {cut} writes and flushes");
        Assert.True(cut > 40, $"{cut} writes and flushes");
    }

    [Fact]
    public async Task An_imported_database_whose_name_is_durable_is_whole()
    {
        using var folder = new TemporaryFolder();
        using (var ordinary = new SqliteConnection($"Data Source={folder.PathOf("ordinary.db")};Pooling=False"))
        {
            ordinary.Open();
            StampedTable.Create(ordinary);
        }

        var disk = new SectorDevice(8 << 20, 4096);
        var store = Open(disk, isNew: true);
        await store.ImportAsync(folder.PathOf("ordinary.db"), "imported");
        using (var other = store.Connect("other"))
        {
            StampedTable.Create(other);
        }

        store.Create("more");
        disk.CutPowerAfter(0);
        await Assert.ThrowsAnyAsync<IOException>(() => store.FlushAsync());
        using var again = Open(disk.AfterPowerCut(new Random(1)), isNew: false);
        Assert.Equal(0, StampedTable.Read(again, "imported"));
        await Assert.ThrowsAnyAsync<IOException>(async () => await store.DisposeAsync());
    }

    [Theory]
    [InFile("DELETE", "WAL")]
    [OnXfs("DELETE", "TRUNCATE", "WAL")]
    [OnBtrfs("DELETE", "WAL")]
    public async Task A_process_is_killed(HomeKind home, string mode)
    {
        using var folder = new TemporaryFolder(home);
        var path = folder.PathOf("killed.store") + (home == HomeKind.File ? "" : "/");
        var random = new Random();
        var last = 0;
        for (var round = 0; round < (IsSoak ? 60 : 4); round++)
        {
            var start = new ProcessStartInfo("dotnet", [typeof(CrashTests).Assembly.Location, "write", path, mode]) { RedirectStandardOutput = true };
            using var writer = Process.Start(start)!;
            var lines = 0;
            var stop = 3 + random.Next(12);
            while (await writer.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2)) is { } line)
            {
                last = int.Parse(line, CultureInfo.InvariantCulture);
                if (++lines == stop)
                {
                    // Somewhere in what comes next.
                    await Task.Delay(random.Next(5));
                    writer.Kill();
                }
            }

            await writer.WaitForExitAsync();
            Assert.True(lines >= stop, $"it said {lines} lines and ended by itself");
            using var store = SqliteBranchStore.Open(path);
            Assert.InRange(StampedTable.Read(store, "main"), last, last + 1);
            foreach (var branch in store.Databases.Where(static database => database.Name != "main"))
            {
                StampedTable.Read(store, branch.Name);
            }
        }
    }

    /// <summary>Transactions and branches; returns whether it came to the end.</summary>
    private static bool Write(SectorDevice disk, Action<int> acknowledge)
    {
        var store = Open(disk, isNew: false);
        try
        {
            using var connection = store.Connect("main");
            connection.Run("PRAGMA cache_size=6; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=50");
            for (var stamp = 1; stamp <= 4; stamp++)
            {
                StampedTable.Stamp(connection, stamp);
                acknowledge(stamp);
                store.Branch("main", stamp.ToString(CultureInfo.InvariantCulture));
                if (stamp == 2)
                {
                    using var branch = store.Connect("2");
                    branch.Run("PRAGMA cache_size=6");
                    StampedTable.Stamp(branch, 100);
                }
            }

            return true;
        }
        finally
        {
            try
            {
                store.Dispose();
            }
            catch (IOException)
            {
                // The power is gone.
            }
        }
    }

    private static SqliteBranchStore Open(SectorDevice disk, bool isNew) => SqliteBranchStore.Open(
        isNew ? CowVolume.Create(disk) : CowVolume.Open(disk), "disk", new SqliteBranchStoreOptions { CacheBytes = 2 << 20 });
}
