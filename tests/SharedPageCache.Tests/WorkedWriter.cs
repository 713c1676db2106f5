using System.Buffers;

// The writing example of docs/engine-guide.md: what stands between the markers stands there word for word.
namespace SharedPageCache.Tests.WorkedWriter;

// <worked-writer>
/// <summary>Files of pages that are written copy-on-write: content that somebody shows is never overwritten.</summary>
public sealed class WritableStore : IPlacementEngine, IAsyncDisposable
{
    private readonly Lock _lock = new();        // for the three below it: Place and Persist run beside hooks and Publish
    private readonly int[] _counts;             // how many places of files show a block
    private readonly SortedSet<long> _free;     // what is placed is not in it, and has a count of 0
    private readonly List<long> _givenUp = [];  // the count has come down to 0, but the block must not be given out yet
    private readonly CachedVolume _volume;

    public WritableStore(PageCache cache, IBlockDevice device)
    {
        PageSize = cache.Options.PageSize;      // a multiple of the device's block size; a block is one page here
        _counts = new int[device.Length / PageSize];
        _free = [.. Enumerable.Range(1, _counts.Length - 1).Select(i => (long)i)];
        _volume = cache.AttachVolume(device, new VolumeOptions { Placement = this });
    }

    public int PageSize { get; }

    public int FreeBlocks { get { lock (_lock) { return _free.Count; } } }

    public MappedFile Create() => _volume.OpenFile(new WritableFile(this, []), 0);

    public ValueTask DisposeAsync() => _volume.DisposeAsync();          // flushes; Dispose would lose what is dirty

    // Called only for pages that were written with a log number. To return would say that the log is durable; there is none.
    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The store has no log.");

    public ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var pages = dirty.ToArray().Sum(run => run.Length) / PageSize;
            if (pages > _free.Count)
            {
                throw new IOException("The store is full.");            // before anything is placed: the pages stay dirty
            }

            // Always new blocks: nobody else shows them, and run.Replaces stays as it was. run.Owners does not matter here, for
            // Publish says who shows the run when it is written. A run for each page: then none comes back in parts. Those that
            // are neighbours, on the device and in the file, are written in one call all the same.
            for (; pages > 0; pages--)
            {
                var block = _free.Min;
                _free.Remove(block);
                placed.Write([new PlacedRun(new BlockRun(block * PageSize, PageSize))]);
            }
        }

        return ValueTask.CompletedTask;
    }

    // The bytes are on the device, and all who show them get the block in this one call: also a clone that was made meanwhile.
    // A file's sequence moves by one, at however many places it shows the block. No InvalidateExtents: the cache changes its
    // trees in the same hold of its binding lock.
    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
        foreach (var places in owners.ToArray().GroupBy(owner => (WritableFile)owner.File))
        {
            places.Key.Bind(run.Offset / PageSize, places.Select(place => place.FileOffset));
        }
    }

    // Nobody shows the page any more, or it could not be written: the block is free at once. No Discard: none is needed, and it
    // would throw, since the block stays placed until the batch has ended.
    public void Abandon(BlockRun run)
    {
        lock (_lock)
        {
            _free.Add(run.Offset / PageSize);
        }
    }

    // What was given up before this call comes free in it: persisted, discarded, free, in this order.
    public ValueTask PersistAsync(CancellationToken cancellationToken)
    {
        long[] givenUp;
        lock (_lock)
        {
            givenUp = [.. _givenUp];
            _givenUp.Clear();
        }

        // Here a store on disk writes its tables, all as of one moment, in one step; if that fails it takes the list back and throws.
        // This one has them in memory only: after a flush the bytes are on the device, but only this process knows where.
        foreach (var block in givenUp)
        {
            _volume.Discard(new BlockRun(block * PageSize, PageSize));  // not under the lock: Clone takes it
        }

        lock (_lock)
        {
            _free.UnionWith(givenUp);
        }

        return ValueTask.CompletedTask;
    }

    internal void Count(long[] shown, long[] noMore)
    {
        lock (_lock)
        {
            foreach (var block in shown.Where(block => block != WritableFile.Hole))
            {
                _counts[block]++;
            }

            // After the counting up: a block that is in both tables does not come down to 0.
            _givenUp.AddRange(noMore.Where(block => block != WritableFile.Hole && --_counts[block] == 0));
        }
    }
}

/// <summary>A file of the store. Hooks and Publish come one at a time, under the cache's binding lock; the two readers at any time.</summary>
public sealed class WritableFile(WritableStore store, long[] blocks) : IWritableExtentMap
{
    public const long Hole = 0;                 // block 0 is never given out

    private long[] _blocks = blocks;            // exchanged as a whole and never written, so clones may share it
    private long _sequence;

    public long Sequence => Volatile.Read(ref _sequence);

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        var (blocks, size) = (Volatile.Read(ref _blocks), store.PageSize);
        var end = Math.Min(blocks.Length, (offset + length + size - 1) / size);
        for (var page = offset / size; page < end; page++)
        {
            if (blocks[page] != Hole)
            {
                destination.Write([new Extent(page * size, size, blocks[page] * size)]);
            }
        }

        return ValueTask.CompletedTask;
    }

    // What is dirty is no concern of a clone: the cache shares it, and Publish will name both files.
    public IExtentMap Clone()
    {
        store.Count(shown: _blocks, noMore: []);
        return new WritableFile(store, _blocks);
    }

    // Also for a write that ends behind the file, so Bind finds room. The cache zeroes the rest of the last page before the file grows.
    public void SetLength(long newLength)
    {
        var blocks = _blocks.ToArray();
        Array.Resize(ref blocks, checked((int)((newLength + store.PageSize - 1) / store.PageSize)));
        Exchange(blocks);
    }

    public void PunchHole(long offset, long length)
    {
        var (blocks, end) = (_blocks.ToArray(), (offset + length) / store.PageSize);
        for (var page = offset / store.PageSize; page < Math.Min(blocks.Length, end); page++)
        {
            blocks[page] = Hole;
        }

        Exchange(blocks);
    }

    public void Delete() => Exchange([]);

    internal void Bind(long block, IEnumerable<long> offsets)
    {
        var blocks = _blocks.ToArray();
        foreach (var offset in offsets)
        {
            blocks[offset / store.PageSize] = block;
        }

        Exchange(blocks);
    }

    private void Exchange(long[] blocks)
    {
        var before = _blocks;
        Interlocked.Increment(ref _sequence);   // before anything of the change can be seen
        Volatile.Write(ref _blocks, blocks);
        store.Count(shown: blocks, noMore: before);
    }
}
// </worked-writer>
