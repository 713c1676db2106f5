using SharedPageCache.Measures.Files;

namespace SharedPageCache.Measures.Peers;

/// <summary>This cache. Misses read the file through the operating system's page cache, as those of the other peers do.</summary>
public sealed class SharedPageCachePeer : IPeer
{
    /// <inheritdoc/>
    public string Name => "SharedPageCache";

    /// <inheritdoc/>
    public IPeerCache TryOpen(PeerWorkload workload) => new Cache(workload);

    private sealed class Cache : IPeerCache
    {
        private readonly PageCache _cache;
        private readonly FileBlockDevice _device;
        private readonly CachedVolume _volume;
        private readonly MappedFile[] _files;

        public Cache(PeerWorkload workload)
        {
            // Dirty pages stay: their room is beside that of the workload, as in the peers, which keep all they were given.
            var dirty = workload.Writes ? workload.FileBytes + (workload.FileBytes / 8) : 0;
            var options = new PageCacheOptions { CapacityBytes = workload.CacheBytes + (3 * dirty), MaxReadAheadPages = 0 };
            if (workload.Writes)
            {
                options.DirtyLimitBytes = options.DirtyThrottleBytes = options.DirtyStartBytes = dirty;
                options.DirtyAge = TimeSpan.FromDays(1);
            }

            _cache = new PageCache(options);
            _device = FileBlockDevice.Open(workload.Path, new FileBlockDeviceOptions { DirectIO = false });
            var extents = new DirtyFile(workload.FileBytes);
            _volume = _cache.AttachVolume(_device, workload.Writes ? new VolumeOptions { Placement = extents } : null);
            _files = new MappedFile[workload.Files];
            _files[0] = _volume.OpenFile(extents, workload.FileBytes);
            for (var i = 1; i < _files.Length; i++)
            {
                _files[i] = _files[0].Clone();
            }
        }

        public long MemoryBytes => _cache.GetStatistics() is var figures ? figures.ResidentBytes + figures.MetadataBytes : 0;

        public void Read(int file, long offset, Span<byte> destination) => _files[file].Read(offset, destination);

        public void Write(int file, long offset, ReadOnlySpan<byte> source) => _files[file].Write(offset, source);

        public void Dispose()
        {
            Array.ForEach(_files, static file => file.Dispose());
            _volume.Dispose();
            _cache.Dispose();
            _device.Dispose();
        }
    }
}
