using System.Collections.Concurrent;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Stress.Tenants;

/// <summary>A volume that several tenants have files on, and a golden file that the engine lets all of them clone.</summary>
internal sealed class TenantVolume
{
    private readonly ConcurrentDictionary<IExtentMap, int> _tenants = new();
    private readonly WatchedDevice _device;

    public TenantVolume(PageCache cache, TenantOptions options)
    {
        var blocks = options.Pages * 96L;
        var memory = new MemoryDevice(blocks * options.PageSize, Math.Min(4096, options.PageSize));
        for (var page = 0; page < options.Pages; page++)
        {
            GoldenTag(page).Fill(memory.Bytes.Slice(page * options.PageSize, options.PageSize));
        }

        _device = new WatchedDevice(memory, options, file => _tenants.GetValueOrDefault(file, Golden));
        Engine = new PageEngine(blocks, options.PageSize);
        Volume = cache.AttachVolume(_device, new VolumeOptions { Placement = Engine });
        Engine.Volume = Volume;
        Original = Volume.OpenFile(Engine.CreateMapped(options.Pages), options.Pages * (long)options.PageSize, new FileOpenOptions { Domain = new SecurityDomain(Golden) });
    }

    /// <summary>The domain of what everybody may see.</summary>
    public const int Golden = 15;

    public PageEngine Engine { get; }

    public CachedVolume Volume { get; }

    public MappedFile Original { get; }

    public long WordsWatched => _device.WordsWatched;

    public long Faults => _device.Faults;

    public IReadOnlyCollection<string> Breaches => _device.Breaches;

    public static PageTag GoldenTag(int page) => new(Golden, 0, page, 1);

    public MappedFile OpenNew(int tenant, FileOpenOptions options, long length) =>
        Volume.OpenFile(Known(Engine.Create(length), tenant), length, options);

    public MappedFile Clone(int tenant, MappedFile file, FileOpenOptions options)
    {
        var clone = file.Clone(options);
        Known(clone.Extents, tenant);
        return clone;
    }

    public void Heal() => _device.IsHealed = true;

    private IExtentMap Known(IExtentMap file, int tenant)
    {
        _tenants[file] = tenant;
        return file;
    }
}
