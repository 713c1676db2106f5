namespace SharedPageCache.Tests.Support;

/// <summary>
/// A small cache over one device in memory. When it is disposed it verifies the cache, disposes everything, verifies
/// again, and looks whether anything was leaked: pins, frames, leases.
/// </summary>
public sealed class TestCache : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    public TestCache(
        int frames = 64,
        int pageSize = 4096,
        int blockSize = 4096,
        long deviceLength = 4 << 20,
        EvictionPolicy policy = EvictionPolicy.S3Fifo,
        int readAhead = 0,
        long? capacity = null,
        VolumeId? id = null,
        int? firstGeneration = null,
        int? volumeNumbers = null,
        SharerWeight weight = SharerWeight.None,
        string name = "test")
    {
        var options = new PageCacheOptions
        {
            Name = name, PageSize = pageSize, Policy = policy, MaxReadAheadPages = readAhead, HugePages = false, Checked = IsChecked, SharerWeight = weight,
        };
        options.FirstGeneration = firstGeneration ?? options.FirstGeneration;
        options.VolumeNumbers = volumeNumbers ?? options.VolumeNumbers;
        if (capacity is { } bytes)
        {
            options.CapacityBytes = bytes;
        }
        else
        {
            options.ExactFrameCount = frames;
        }

        Cache = new PageCache(options);
        Device = new MemoryDevice(deviceLength, blockSize).Stamp();
        Volume = Cache.AttachVolume(Device, id is { } known ? new VolumeOptions { Id = known } : null);
    }

    /// <summary>Whether the environment has all tests that make their cache here run it in checked mode (SPC_CHECKED=1).</summary>
    public static bool IsChecked { get; } = Environment.GetEnvironmentVariable("SPC_CHECKED") == "1";

    public PageCache Cache { get; }

    public MemoryDevice Device { get; }

    public CachedVolume Volume { get; }

    public PageCacheStatistics Figures => Cache.GetStatistics();

    /// <summary>Pages that hold something now.</summary>
    public long ResidentPages => Figures.ResidentBytes / Figures.PageSize;

    /// <summary>Opens a file over extents of its own; its length is the end of the last one.</summary>
    public MappedFile Open(params Extent[] extents) => Open(new ListExtents(extents), extents[^1].FileEnd);

    public MappedFile Open(IExtentMap extents, long length, FileOpenOptions? options = null) =>
        Own(Volume.OpenFile(extents, length, options));

    /// <summary>Opens a file that is one run of the device.</summary>
    public MappedFile OpenRun(long offset, long length) => Open(new Extent(0, length, offset));

    /// <summary>A clone that is closed with the cache.</summary>
    public MappedFile Clone(MappedFile file, FileOpenOptions? options = null) => Own(file.Clone(options));

    /// <summary>Something that goes with the cache.</summary>
    public T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    /// <summary>Evicts every page that nobody pins, hot ones too.</summary>
    public void EvictAll()
    {
        var rooms = Cache.Engine.Rooms;
        var evicted = new Stack<int>();
        while (rooms.Reclaimer.TryEvict(out var frame))
        {
            evicted.Push(frame);
        }

        while (evicted.TryPop(out var frame))
        {
            rooms.Pool.Push(frame);
        }
    }

    public void Dispose()
    {
        Cache.Verify();
        for (var i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        Cache.Verify();
        Cache.Dispose();
        var frames = Cache.Engine.Rooms.Frames;
        var leaked = Enumerable.Range(0, frames.Count).Where(frame => frames[frame].PinsAcquire != 0);
        Bounded.Until(() => !leaked.Any(), "no frame is pinned after all was disposed");
        Bounded.Until(() => Figures.ResidentBytes == 0, "every frame comes back after all was disposed, those of late loads too");
        Assert.Equal(0, Figures.LogicalBytes);
        Cache.Verify();
    }
}
