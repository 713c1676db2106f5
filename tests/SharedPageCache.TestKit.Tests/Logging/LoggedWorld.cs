namespace SharedPageCache.TestKit.Tests.Logging;

/// <summary>
/// A logged engine in a small cache, over two disks that lose their power together. Each page that goes to the device is
/// checked against the log as it would survive.
/// </summary>
internal sealed class LoggedWorld : IDisposable
{
    public const int Page = 1024;

    public const int Payload = Page - LoggedEngine.PageHeaderSize;

    private readonly PageCache _cache;

    private LoggedWorld(LoggedEngine engine, SectorDevice data, SectorDevice log, Func<LoggedEngine, IPlacementEngine>? placement)
    {
        (Engine, Data, Log) = (engine, data, log);
        _cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = 1 << 20, PageSize = Page, MaxReadAheadPages = 0, HugePages = false, DirtyAge = TimeSpan.FromHours(1),
        });
        Rule = new LogRuleDevice(data, Page, () => LoggedEngine.ReadLogEndAsync(log.Durable()));
        Volume = engine.Attach(_cache, placement?.Invoke(engine), Rule);
    }

    public LoggedEngine Engine { get; }

    public SectorDevice Data { get; }

    public SectorDevice Log { get; }

    public LogRuleDevice Rule { get; }

    public CachedVolume Volume { get; }

    public PageCache Cache => _cache;

    public static async Task<LoggedWorld> CreateAsync(
        PowerSupply? power = null, long blocks = 256, long logLength = 64 << 10, Func<LoggedEngine, IPlacementEngine>? placement = null)
    {
        var (data, log) = (new SectorDevice(blocks * Page, 512, power), new SectorDevice(logLength, 512, power));
        return new LoggedWorld(await LoggedEngine.CreateAsync(data, log, Page), data, log, placement);
    }

    public static async Task<LoggedWorld> OpenAsync(SectorDevice data, SectorDevice log) =>
        new(await LoggedEngine.OpenAsync(data, log), data, log, null);

    /// <summary>The world after the power has gone, with luck or without.</summary>
    public Task<LoggedWorld> CrashAsync(Random luck, PowerSupply? power = null) =>
        OpenAsync(Data.AfterPowerCut(luck, power), Log.AfterPowerCut(luck, power));

    /// <summary>All files, page by page.</summary>
    public async Task<SortedDictionary<string, byte[][]>> ReadAllAsync()
    {
        var state = new SortedDictionary<string, byte[][]>(StringComparer.Ordinal);
        foreach (var name in Engine.Names)
        {
            var file = Engine.OpenFile(name);
            var pages = new byte[file.Pages][];
            for (var page = 0; page < pages.Length; page++)
            {
                pages[page] = await file.ReadAsync(page);
            }

            state.Add(name, pages);
        }

        return state;
    }

    public static bool AreEqual(SortedDictionary<string, byte[][]> a, SortedDictionary<string, byte[][]> b) =>
        a.Count == b.Count
        && a.Zip(b).All(pair => pair.First.Key == pair.Second.Key && pair.First.Value.Length == pair.Second.Value.Length
            && pair.First.Value.Zip(pair.Second.Value).All(pages => pages.First.AsSpan().SequenceEqual(pages.Second)));

    public static string Say(SortedDictionary<string, byte[][]> state) =>
        string.Join("; ", state.Select(static file => $"{file.Key}: {string.Join(' ', file.Value.Select(static page => Convert.ToHexString(page.AsSpan(0, 4))))}"));

    public void AssertSound()
    {
        Assert.Empty(Engine.Check());
        Assert.Equal(0, Rule.Violations);
        _cache.Verify();
    }

    public void Dispose() => _cache.Dispose();
}
