using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Measures.Peers;

/// <summary>
/// What one would write in an afternoon: pages by file and place in a <c>ConcurrentDictionary</c>, exact LRU in a list under a lock.
/// Two clones share nothing.
/// </summary>
public sealed class PerFileLruPeer : IPeer
{
    /// <inheritdoc/>
    public string Name => "per-file LRU";

    /// <inheritdoc/>
    public IPeerCache TryOpen(PeerWorkload workload) => new Cache(workload);

    private sealed class Cache(PeerWorkload workload) : IPeerCache
    {
        /// <summary>A node of the dictionary, an entry with its list links, an array's header.</summary>
        private const int BytesBesidePage = 48 + 72 + 24;

        private readonly SafeFileHandle _file = File.OpenHandle(workload.Path, options: FileOptions.RandomAccess);
        private readonly ConcurrentDictionary<(int File, long Page), Entry> _entries = new();
        private readonly LinkedList<Entry> _order = new();
        private readonly Lock _lock = new();
        private readonly int _most = (int)(workload.CacheBytes / (PeerWorkload.PageSize + BytesBesidePage));

        public long MemoryBytes => (long)_entries.Count * (PeerWorkload.PageSize + BytesBesidePage);

        public void Read(int file, long offset, Span<byte> destination)
        {
            var entry = Find(file, offset);
            entry.Bytes.AsSpan((int)offset & (PeerWorkload.PageSize - 1), destination.Length).CopyTo(destination);
        }

        public void Write(int file, long offset, ReadOnlySpan<byte> source)
        {
            var entry = Find(file, offset);
            source.CopyTo(entry.Bytes.AsSpan((int)offset & (PeerWorkload.PageSize - 1)));
        }

        public void Dispose() => _file.Dispose();

        private Entry Find(int file, long offset)
        {
            var key = (file, offset / PeerWorkload.PageSize);
            if (_entries.TryGetValue(key, out var known))
            {
                lock (_lock)
                {
                    if (known.Node.List is not null)
                    {
                        _order.Remove(known.Node);
                        _order.AddLast(known.Node);
                    }
                }

                return known;
            }

            var fresh = new Entry(key);
            RandomAccess.Read(_file, fresh.Bytes, key.Item2 * PeerWorkload.PageSize);
            var entry = _entries.GetOrAdd(key, fresh);
            if (entry == fresh)
            {
                lock (_lock)
                {
                    _order.AddLast(fresh.Node);
                    if (_order.Count > _most)
                    {
                        _entries.TryRemove(_order.First!.Value.Key, out _);
                        _order.RemoveFirst();
                    }
                }
            }

            return entry;
        }

        private sealed class Entry
        {
            public Entry((int File, long Page) key)
            {
                Key = key;
                Node = new LinkedListNode<Entry>(this);
            }

            public (int File, long Page) Key { get; }

            public LinkedListNode<Entry> Node { get; }

            public byte[] Bytes { get; } = GC.AllocateUninitializedArray<byte>(PeerWorkload.PageSize);
        }
    }
}
