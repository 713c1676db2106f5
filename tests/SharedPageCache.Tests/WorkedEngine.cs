using System.Buffers;

// The worked example of docs/engine-guide.md: what stands between the markers stands there word for word.
namespace SharedPageCache.Tests.WorkedEngine;

// <worked-engine>
/// <summary>Files made of blocks. A block that is shown is never overwritten: changed bytes go to another one.</summary>
public sealed class BlockStore(PageCache cache, IBlockDevice device) : IDisposable
{
    private readonly Lock _changes = new();     // one change at a time, with what the cache is told; no callback takes it
    private readonly HashSet<StoredFile> _files = [];
    private readonly SortedSet<long> _free = [.. Enumerable.Range(0, (int)(device.Length / device.BlockSize)).Select(i => (long)i)];
    private readonly CachedVolume _volume = cache.AttachVolume(device);

    public StoredFile Create(int blocks)
    {
        lock (_changes)
        {
            var map = new StoredFile([.. Enumerable.Repeat(StoredFile.Hole, blocks)], device.BlockSize);
            return Add(_volume.OpenFile(map, (long)blocks * device.BlockSize));
        }
    }

    public StoredFile Clone(StoredFile file)
    {
        lock (_changes)
        {
            return Add(file.Mapped.Clone());                            // the cache calls StoredFile.Clone
        }
    }

    public void Overwrite(StoredFile file, int index, ReadOnlyMemory<byte> bytes)
    {
        lock (_changes)
        {
            var block = Allocate();
            Write(block, file, bytes);                                  // the new content first,
            file.Replace(index, block);                                 // then sequence and extents,
            file.Mapped.InvalidateExtents((long)index * device.BlockSize, device.BlockSize);
            FreeWhatNobodyShows();                                      // then the old block, if this was the last to show it
        }
    }

    public void Move(StoredFile file, int index)
    {
        lock (_changes)
        {
            var (from, to) = (file.Blocks[index], Allocate());
            var bytes = new byte[device.BlockSize];
            device.Read(Run(from), new BlockOrigin(file, 0), [bytes]);
            Write(to, file, bytes);                                     // the data is copied,
            _volume.Relocate(Run(from), Run(to));                       // cached pages follow it,
            foreach (var each in _files)
            {
                each.ReplaceAll(from, to);                              // the extents change,
            }

            FreeWhatNobodyShows();                                      // the old block is discarded
        }
    }

    public void Delete(StoredFile file)
    {
        lock (_changes)
        {
            _files.Remove(file);
            file.Mapped.Dispose();
            FreeWhatNobodyShows();
        }
    }

    public void Dispose() => _volume.Dispose();

    private StoredFile Add(MappedFile mapped)
    {
        var file = (StoredFile)mapped.Extents;
        file.Mapped = mapped;
        _files.Add(file);
        return file;
    }

    private long Allocate()
    {
        if (_free.Count == 0)
        {
            throw new IOException("The store is full.");
        }

        var block = _free.Min;
        _free.Remove(block);
        return block;
    }

    private void FreeWhatNobodyShows()
    {
        HashSet<long> shown = [.. _files.SelectMany(file => file.Blocks)];
        for (long block = 0; block < device.Length / device.BlockSize; block++)
        {
            if (!_free.Contains(block) && !shown.Contains(block))
            {
                _volume.Discard(Run(block));                            // before the block can be given out again
                _free.Add(block);
            }
        }
    }

    private BlockRun Run(long block) => new(block * device.BlockSize, device.BlockSize);

    private void Write(long block, StoredFile file, ReadOnlyMemory<byte> bytes) =>
        device.WriteAsync(Run(block), new BlockOrigin(file, 0), [bytes], default).AsTask().GetAwaiter().GetResult();
}

/// <summary>A file of the store: what it tells the cache. All members but Replace are called from any thread.</summary>
public sealed class StoredFile(long[] blocks, int blockSize) : ICloneableExtentMap
{
    public const long Hole = -1;

    private long[] _blocks = blocks;            // exchanged as a whole and never written, so clones may share it
    private long _sequence;

    public MappedFile Mapped { get; internal set; } = null!;

    public long[] Blocks => Volatile.Read(ref _blocks);

    public long Sequence => Volatile.Read(ref _sequence);

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        var blocks = Blocks;
        var end = Math.Min(blocks.Length, (offset + length + blockSize - 1) / blockSize);
        for (var index = offset / blockSize; index < end; index++)
        {
            if (blocks[index] != Hole)
            {
                destination.Write([new Extent(index * blockSize, blockSize, blocks[index] * blockSize)]);
            }
        }

        return ValueTask.CompletedTask;
    }

    public IExtentMap Clone() => new StoredFile(Blocks, blockSize);

    internal void Replace(int index, long block) => Exchange([.. Blocks[..index], block, .. Blocks[(index + 1)..]]);

    internal void ReplaceAll(long from, long to)
    {
        if (Blocks.Contains(from))
        {
            Exchange([.. Blocks.Select(block => block == from ? to : block)]);
        }
    }

    private void Exchange(long[] blocks)
    {
        Interlocked.Increment(ref _sequence);   // before the extents change
        Volatile.Write(ref _blocks, blocks);
    }
}
// </worked-engine>
