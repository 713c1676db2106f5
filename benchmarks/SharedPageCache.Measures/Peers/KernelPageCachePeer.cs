using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Measures.Peers;

/// <summary>The operating system's page cache, by <c>RandomAccess.Read</c>. It takes what memory it wants.</summary>
public sealed class KernelPageCachePeer : IPeer
{
    /// <inheritdoc/>
    public string Name => "RandomAccess.Read";

    /// <inheritdoc/>
    public IPeerCache? TryOpen(PeerWorkload workload) => workload.Files == 1 && !workload.Writes ? new Cache(workload) : null;

    private sealed class Cache(PeerWorkload workload) : IPeerCache
    {
        private readonly SafeFileHandle _file = File.OpenHandle(workload.Path, options: FileOptions.RandomAccess);

        public long MemoryBytes => 0;

        public void Read(int file, long offset, Span<byte> destination)
        {
            if (RandomAccess.Read(_file, destination, offset) != destination.Length)
            {
                throw new EndOfStreamException();
            }
        }

        public void Write(int file, long offset, ReadOnlySpan<byte> source) => throw new NotSupportedException();

        public void Dispose() => _file.Dispose();
    }
}
