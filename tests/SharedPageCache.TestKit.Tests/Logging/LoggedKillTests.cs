using System.Globalization;
using Xunit.Abstractions;

namespace SharedPageCache.TestKit.Tests.Logging;

/// <summary>
/// A process that changes pages in place is killed at random moments, again and again; after each recovery every page has the version
/// that was last committed or flushed, or a newer one, whole.
/// </summary>
public sealed class LoggedKillTests(ITestOutputHelper output)
{
    private const int Kills = 50;

    [Fact]
    [Trait("Row", "E9")]
    public async Task Every_committed_change_survives_the_killing_of_its_process()
    {
        var seed = Seeds.Next();
        var dice = new Dice(seed);
        var folder = Directory.CreateDirectory(Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"spc-logged-{Guid.NewGuid():N}"));
        try
        {
            var (data, log) = (Path.Combine(folder.FullName, "data"), Path.Combine(folder.FullName, "log"));
            await CreateAsync(data, log);
            var ledger = new PageLedger();
            var redone = 0L;
            for (var kill = 0; kill < Kills; kill++)
            {
                await KillOneAsync(data, log, dice, 1 + kill * 20_000, ledger);
                redone += await VerifyAsync(data, log, ledger, $"kill {kill}, {Seeds.Replay("tests/SharedPageCache.TestKit.Tests", nameof(LoggedKillTests), seed)}");
            }

            output.WriteLine($"seed {seed}: {Kills} kills, {ledger.Promises} promises kept, {redone} pages made from the log");
            Assert.True(ledger.Promises > Kills && redone > Kills, "the runs are long enough to mean something");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task CreateAsync(string data, string log)
    {
        await File.WriteAllBytesAsync(data, new byte[64 * LoggedChild.Page]);
        await File.WriteAllBytesAsync(log, new byte[128 << 10]);
        using var dataDevice = LoggedChild.Open(data);
        using var logDevice = LoggedChild.Open(log);
        var engine = await LoggedEngine.CreateAsync(dataDevice, logDevice, LoggedChild.Page);
        using var cache = NewCache();
        using var volume = engine.Attach(cache);
        foreach (var name in LoggedChild.Names)
        {
            await engine.CreateFileAsync(name, LoggedChild.Pages);
        }

        await engine.CommitAsync();
    }

    private static async Task KillOneAsync(string data, string log, Dice dice, int version, PageLedger ledger)
    {
        using var child = ChildProcess.Start(
            typeof(LoggedKillTests).Assembly.Location, "logged", data, log, dice.Next().ToString(CultureInfo.InvariantCulture),
            version.ToString(CultureInfo.InvariantCulture));
        if (dice.OneIn(10))
        {
            await Task.Delay(dice.Below(150));
        }
        else
        {
            await child.WaitForLinesAsync(dice.From(1, 25), CancellationToken.None);
            await Task.Delay(dice.Below(10));
        }

        foreach (var line in await child.KillAsync())
        {
            Assert.True(ledger.TryRead(line) || line == "opened", $"the child says '{line}'");
        }
    }

    /// <summary>Recovers, looks at every page, and leaves things as the recovery has left them.</summary>
    private static async Task<int> VerifyAsync(string data, string log, PageLedger ledger, string where)
    {
        using var dataDevice = LoggedChild.Open(data);
        using var logDevice = LoggedChild.Open(log);
        var engine = await LoggedEngine.OpenAsync(dataDevice, logDevice);
        Assert.Empty(engine.Check());
        using var cache = NewCache();
        using var volume = engine.Attach(cache);
        for (var lineage = 0; lineage < LoggedChild.Names.Length; lineage++)
        {
            var file = engine.OpenFile(LoggedChild.Names[lineage]);
            for (var page = 0; page < LoggedChild.Pages; page++)
            {
                var fault = ledger.FaultOf(lineage, page, await file.ReadAsync(page));
                Assert.True(fault is null, $"{where}: {fault}");
            }
        }

        return engine.PagesRedone;
    }

    private static PageCache NewCache() => new(new PageCacheOptions
    {
        CapacityBytes = 1 << 20, PageSize = LoggedChild.Page, HugePages = false, MaxReadAheadPages = 0,
    });
}
