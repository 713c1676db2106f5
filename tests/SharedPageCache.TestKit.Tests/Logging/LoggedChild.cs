namespace SharedPageCache.TestKit.Tests.Logging;

/// <summary>
/// What the process does that is killed: it changes tagged pages in place, commits, flushes and makes checkpoints, and says so.
/// See <see cref="LoggedKillTests"/>.
/// </summary>
internal static class LoggedChild
{
    public const int Pages = 12;
    public const int Page = 1024;

    /// <summary>The files: one that is only ever changed in place, and one that is cloned and so gets new blocks.</summary>
    public static string[] Names { get; } = ["alone", "cloned"];

    public static async Task RunAsync(string data, string log, ulong seed, int version)
    {
        var dice = new Dice(seed);
        using var output = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true, NewLine = "\n" };
        using var dataDevice = Open(data);
        using var logDevice = Open(log);
        var engine = await LoggedEngine.OpenAsync(dataDevice, logDevice);
        using var cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = 1 << 20, PageSize = Page, HugePages = false, MaxReadAheadPages = 0, DirtyAge = TimeSpan.FromMilliseconds(10),
        });
        using var volume = engine.Attach(cache);
        output.WriteLine("opened");
        while (true)
        {
            var lineage = dice.Below(Names.Length);
            var file = engine.OpenFile(Names[lineage]);
            switch (dice.Below(12))
            {
                case 0 or 1:
                    await file.FlushAsync();
                    output.WriteLine(PageLedger.DurableLine(lineage));
                    break;
                case 2 or 3:
                    await engine.CommitAsync();
                    output.WriteLine(PageLedger.DurableLine(0));
                    output.WriteLine(PageLedger.DurableLine(1));
                    break;
                case 4 when dice.OneIn(3):
                    await engine.CheckpointAsync();
                    break;
                case 5:
                    if (engine.Names is [.., var last] && last.StartsWith("copy", StringComparison.Ordinal))
                    {
                        await engine.OpenFile(last).DeleteAsync();
                    }
                    else
                    {
                        await engine.OpenFile(Names[1]).CloneAsync($"copy {version}");
                    }

                    break;
                default:
                    var page = dice.Below(Pages);
                    output.WriteLine(PageLedger.WritingLine(lineage, [(page, version)]));
                    await file.UpdateAsync(page, 0, new PageTag(0, lineage, page, version).ToBytes(engine.PayloadSize));
                    break;
            }

            version++;
        }
    }

    public static FileBlockDevice Open(string path) =>
        FileBlockDevice.Open(path, new FileBlockDeviceOptions { DirectIO = false, Writable = true, Exclusive = true, BlockSize = 512 });
}
