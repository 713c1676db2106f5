using System.IO.MemoryMappedFiles;

namespace SharedPageCache.Measures.Peers;

/// <summary>The operating system's page cache, mapped. It takes what memory it wants; a copy from it may fault.</summary>
public sealed class MemoryMapPeer : IPeer
{
    /// <inheritdoc/>
    public string Name => "MemoryMappedFile";

    /// <inheritdoc/>
    public IPeerCache? TryOpen(PeerWorkload workload) => workload.Files == 1 && !workload.Writes ? new Cache(workload) : null;

    private sealed unsafe class Cache : IPeerCache
    {
        private readonly MemoryMappedFile _map;
        private readonly MemoryMappedViewAccessor _view;
        private readonly byte* _start;

        public Cache(PeerWorkload workload)
        {
            _map = MemoryMappedFile.CreateFromFile(workload.Path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            _view = _map.CreateViewAccessor(0, workload.FileBytes, MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        }

        public long MemoryBytes => 0;

        public void Read(int file, long offset, Span<byte> destination) =>
            new ReadOnlySpan<byte>(_start + offset, destination.Length).CopyTo(destination);

        public void Write(int file, long offset, ReadOnlySpan<byte> source) => throw new NotSupportedException();

        public void Dispose()
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _map.Dispose();
        }
    }
}
