using Microsoft.Extensions.Caching.Memory;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Measures.Peers;

/// <summary>Microsoft.Extensions.Caching.Memory with a size limit, pages by file and place.</summary>
public sealed class MemoryCachePeer : IPeer
{
    /// <inheritdoc/>
    public string Name => "MemoryCache";

    /// <inheritdoc/>
    public IPeerCache TryOpen(PeerWorkload workload) => new Cache(workload);

    private sealed class Cache(PeerWorkload workload) : IPeerCache
    {
        private readonly SafeFileHandle _file = File.OpenHandle(workload.Path, options: FileOptions.RandomAccess);
        private readonly MemoryCache _pages = new(new MemoryCacheOptions { SizeLimit = workload.CacheBytes / PeerWorkload.PageSize });

        public long MemoryBytes => _pages.Count * (long)PeerWorkload.PageSize;

        public void Read(int file, long offset, Span<byte> destination) =>
            Find(file, offset).AsSpan((int)offset & (PeerWorkload.PageSize - 1), destination.Length).CopyTo(destination);

        public void Write(int file, long offset, ReadOnlySpan<byte> source) =>
            source.CopyTo(Find(file, offset).AsSpan((int)offset & (PeerWorkload.PageSize - 1)));

        public void Dispose()
        {
            _pages.Dispose();
            _file.Dispose();
        }

        private byte[] Find(int file, long offset)
        {
            var key = (file, offset / PeerWorkload.PageSize);
            if (_pages.TryGetValue(key, out byte[]? known))
            {
                return known!;
            }

            var bytes = GC.AllocateUninitializedArray<byte>(PeerWorkload.PageSize);
            RandomAccess.Read(_file, bytes, key.Item2 * PeerWorkload.PageSize);
            using var entry = _pages.CreateEntry(key);
            entry.Value = bytes;
            entry.Size = 1;
            return bytes;
        }
    }
}
