using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>A small cache over a volume that can be written. Verifies itself when it is disposed.</summary>
public sealed class WriteCache : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private bool _isAbandoned;

    public WriteCache(
        int frames = 64, int pageSize = 4096, long deviceLength = 4 << 20, bool inPlace = false,
        EvictionPolicy policy = EvictionPolicy.S3Fifo, TimeSpan? dirtyAge = null, IPageSeal? seal = null,
        Action<PageCacheOptions>? configure = null)
    {
        var options = new PageCacheOptions
        {
            PageSize = pageSize, Policy = policy, MaxReadAheadPages = 0, HugePages = false, ExactFrameCount = frames,
            DirtyAge = dirtyAge ?? TimeSpan.FromHours(1), Checked = TestCache.IsChecked,
        };
        configure?.Invoke(options);
        Cache = new PageCache(options);
        Device = new MemoryDevice(deviceLength, Math.Min(4096, pageSize)).Stamp();
        Engine = new PageEngine(deviceLength / pageSize, pageSize, inPlace);
        Volume = Cache.AttachVolume(Device, new VolumeOptions { Placement = Engine, Seal = seal });
        Engine.Volume = Volume;
    }

    public PageCache Cache { get; }

    public MemoryDevice Device { get; }

    public PageEngine Engine { get; }

    public CachedVolume Volume { get; }

    public PageCacheStatistics Figures => Cache.GetStatistics();

    /// <summary>A new file of holes.</summary>
    public MappedFile OpenNew(long length) => Own(Volume.OpenFile(Engine.Create(length), length));

    /// <summary>A file that lies on the device already.</summary>
    public MappedFile OpenMapped(long pages) =>
        Own(Volume.OpenFile(Engine.CreateMapped(pages), pages * Cache.Options.PageSize));

    /// <summary>One more volume that can be written, with a file.</summary>
    public CachedVolume AttachSecond(out MappedFile file)
    {
        var pageSize = Cache.Options.PageSize;
        var engine = new PageEngine(64, pageSize);
        var volume = Cache.AttachVolume(
            new MemoryDevice(64 * pageSize, Math.Min(4096, pageSize)).Stamp(), new VolumeOptions { Placement = engine });
        engine.Volume = volume;
        file = volume.OpenFile(engine.Create(32 * pageSize), 32 * pageSize);
        return volume;
    }

    public byte[] DurableOf(MappedFile file) => PageEngine.Durable((PageEngine.PageFile)file.Extents, Device.Bytes);

    public T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    /// <summary>The test has failed: nothing is verified any more.</summary>
    public void Abandon() => _isAbandoned = true;

    public void Dispose()
    {
        if (_isAbandoned)
        {
            Cache.Dispose();
            return;
        }

        Cache.Verify();
        for (var i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        Cache.Verify();
        Cache.Dispose();

        // A write-back of the background that was under way gives its pins back at its end.
        Bounded.Until(() => Figures.ResidentBytes == 0, "every frame comes back after all was disposed");
        Cache.Verify();
    }
}
