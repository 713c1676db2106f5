using SharedPageCache.Measures.Files;

namespace SharedPageCache.Measures.Peers;

/// <summary>No cache at all: memory with one indirection. The bound of what fits.</summary>
public sealed class RawCopyPeer : IPeer
{
    /// <inheritdoc/>
    public string Name => "raw copy";

    /// <inheritdoc/>
    public IPeerCache? TryOpen(PeerWorkload workload) => workload.Fits && workload.Files == 1 ? new Cache(workload) : null;

    private sealed class Cache(PeerWorkload workload) : IPeerCache
    {
        private readonly RawCopy _pages = new((int)(workload.FileBytes / PeerWorkload.PageSize), PeerWorkload.PageSize);

        public long MemoryBytes => workload.FileBytes;

        public void Read(int file, long offset, Span<byte> destination) => _pages.Read(offset, destination);

        public void Write(int file, long offset, ReadOnlySpan<byte> source) => _pages.Write(offset, source);

        public void Dispose() => _pages.Dispose();
    }
}
