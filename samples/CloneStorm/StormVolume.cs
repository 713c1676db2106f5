using SharedPageCache.Cow;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>An image's volume, opened over a device that counts, and attached to a cache of its own.</summary>
internal sealed class StormVolume : IDisposable
{
    // Nothing goes to the device of its own accord while a leg counts.
    private static readonly TimeSpan LongerThanAnyLeg = TimeSpan.FromHours(1);

    private StormVolume(MeteredDevice device, CowVolume cow, PageCache cache, CachedVolume files)
    {
        Device = device;
        Cow = cow;
        Cache = cache;
        Files = files;
    }

    /// <summary>The device below the cache.</summary>
    public MeteredDevice Device { get; }

    /// <summary>The storage engine.</summary>
    public CowVolume Cow { get; }

    /// <summary>The cache, which has nothing but this volume.</summary>
    public PageCache Cache { get; }

    /// <summary>The volume as the cache sees it.</summary>
    public CachedVolume Files { get; }

    /// <summary>Makes a new, empty volume.</summary>
    /// <param name="path">The file that plays the disk, which must not exist.</param>
    /// <param name="bytes">The size of the disk in bytes, a multiple of the page size; what is not used takes no room.</param>
    /// <param name="pageSize">Page size and block size in bytes.</param>
    /// <param name="capacityBytes">The memory of the cache.</param>
    public static StormVolume Create(string path, long bytes, int pageSize, long capacityBytes)
    {
        using (FileStream disk = File.Create(path))
            disk.SetLength(bytes);
        return Open(path, pageSize, capacityBytes, device => CowVolume.Create(device));
    }

    /// <summary>Opens the volume again, with an empty cache.</summary>
    /// <param name="path">The file that plays the disk.</param>
    /// <param name="pageSize">Page size and block size in bytes.</param>
    /// <param name="capacityBytes">The memory of the cache.</param>
    public static StormVolume Open(string path, int pageSize, long capacityBytes) =>
        Open(path, pageSize, capacityBytes, device => CowVolume.Open(device));

    /// <summary>Opens a file for reading and writing.</summary>
    /// <param name="name">Its name.</param>
    public MappedFile OpenFile(string name)
    {
        CowFile file = Cow.OpenFile(name);
        return Files.OpenFile(file, file.Length, new FileOpenOptions { Id = file.Id, Name = name });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Files.Dispose();
        Cow.Dispose();
        Cache.Dispose();
        Device.Dispose();
    }

    private static StormVolume Open(
        string path, int pageSize, long capacityBytes, Func<MeteredDevice, CowVolume> open)
    {
        var device = new MeteredDevice(FileBlockDevice.Open(
            path, new FileBlockDeviceOptions { Writable = true, Exclusive = true, BlockSize = pageSize }));
        CowVolume? cow = null;
        PageCache? cache = null;
        try
        {
            cow = open(device);
            cache = new PageCache(new PageCacheOptions
            {
                CapacityBytes = capacityBytes,
                PageSize = pageSize,
                DirtyAge = LongerThanAnyLeg,
            });
            return new StormVolume(device, cow, cache, cow.Attach(cache));
        }
        catch
        {
            cache?.Dispose();
            cow?.Dispose();
            device.Dispose();
            throw;
        }
    }
}
