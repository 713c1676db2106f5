using System.Buffers;
using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>A file of the <see cref="Store"/>: a block for each page that is no hole, now and as it would be after a crash.</summary>
internal class StoredFile : IWritableExtentMap
{
    private readonly Store _store;
    private long _sequence = 1;

    public StoredFile(Store store, int pages)
    {
        _store = store;
        Pages = pages;
        store.Add(this);
    }

    public int Pages { get; private set; }

    public bool IsDeleted { get; private set; }

    public SortedDictionary<int, long> Blocks { get; protected init; } = [];

    public SortedDictionary<int, long> DurableBlocks { get; private set; } = [];

    public long Sequence
    {
        get
        {
            Scheduler.Before();
            return _sequence;
        }
    }

    /// <summary>Whether the next hook refuses.</summary>
    public bool Refuses { get; set; }

    public bool Shows(long block) => Blocks.ContainsValue(block) || DurableBlocks.ContainsValue(block);

    /// <summary>The pages that show a block, now or after a crash.</summary>
    public IEnumerable<int> PlacesOf(long block) =>
        Blocks.Concat(DurableBlocks).Where(pair => pair.Value == block).Select(static pair => pair.Key);

    public void Advance() => _sequence++;

    /// <summary>The map at this moment, to be made durable.</summary>
    public StoredImage Image() => new(this, new SortedDictionary<int, long>(Blocks));

    /// <summary>Whether the file itself would be there after a crash.</summary>
    public bool IsDurable { get; private set; }

    public void BecomeDurable(SortedDictionary<int, long> blocks) => (DurableBlocks, IsDurable) = (blocks, true);

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        Scheduler.Note("the engine is asked for extents");
        foreach (var (page, block) in Blocks)
        {
            var at = (long)page * Sector.Size;
            if (at < offset + length && at + Sector.Size > offset)
            {
                destination.Write([new Extent(at, Sector.Size, block * Sector.Size, ExtentFlags.None, _store.GenerationOf(block))]);
            }
        }

        Scheduler.Note("the engine has answered");
        return ValueTask.CompletedTask;
    }

    public IExtentMap Clone()
    {
        Begin("clone");
        var clone = new StoredFile(_store, Pages) { Blocks = new SortedDictionary<int, long>(Blocks) };
        Scheduler.Note("the engine has cloned");
        return clone;
    }

    public void SetLength(long newLength)
    {
        Begin($"set the length to {newLength}");
        _sequence++;
        Pages = (int)((newLength + Sector.Size - 1) / Sector.Size);
        Cut(Pages, int.MaxValue);
    }

    public void PunchHole(long offset, long length)
    {
        Begin($"punch {length} bytes at {offset}");
        _sequence++;
        Cut((int)(offset / Sector.Size), (int)((offset + length) / Sector.Size) - 1);
    }

    public void CloneRange(IExtentMap source, ReadOnlySpan<SharedRange> ranges, long newLength)
    {
        Begin($"clone ranges {string.Join(", ", ranges.ToArray())} and be {newLength} long");
        _sequence++;
        var from = (StoredFile)source;
        foreach (var range in ranges)
        {
            for (var done = 0L; done < range.Length; done += Sector.Size)
            {
                var (page, to) = ((int)((range.SourceOffset + done) / Sector.Size), (int)((range.DestinationOffset + done) / Sector.Size));
                if (from.Blocks.TryGetValue(page, out var block))
                {
                    Blocks[to] = block;
                }
                else
                {
                    Blocks.Remove(to);
                }
            }
        }

        Pages = (int)((newLength + Sector.Size - 1) / Sector.Size);
        Scheduler.Note("the hook is done");
    }

    public void ReplaceWith(IExtentMap source, ReadOnlySpan<FileRange> kept)
    {
        Begin("become another file");
        _sequence++;
        var from = (StoredFile)source;
        var blocks = new SortedDictionary<int, long>(from.Blocks);
        foreach (var range in kept)
        {
            for (var page = (int)(range.Offset / Sector.Size); page < range.End / Sector.Size; page++)
            {
                blocks.Remove(page);
                if (Blocks.TryGetValue(page, out var own) && page < from.Pages)
                {
                    blocks[page] = own;
                }
            }
        }

        Blocks.Clear();
        foreach (var (page, block) in blocks)
        {
            Blocks.Add(page, block);
        }

        Pages = from.Pages;
        Scheduler.Note("the hook is done");
    }

    public void Delete()
    {
        Begin("delete");
        _sequence++;
        (IsDeleted, Pages) = (true, 0);
        Cut(0, int.MaxValue);
    }

    private void Begin(string hook)
    {
        Scheduler.Note($"hook: {hook}");
        if (Refuses)
        {
            Refuses = false;
            throw new IOException("the engine refuses.");
        }
    }

    private void Cut(int first, int last)
    {
        foreach (var page in Blocks.Keys.Where(page => page >= first && page <= last).ToList())
        {
            Blocks.Remove(page);
        }

        Scheduler.Note("the hook is done");
    }
}

/// <summary>A file that is cloned by a call that is not in memory: the clone has what the device holds for the file in the middle of it.</summary>
internal class FileClonedByCall(Store store, int pages) : StoredFile(store, pages), IAsyncCloneableExtentMap
{
    private readonly Store _store = store;

    public ValueTask<IExtentMap> CloneAsync(CancellationToken cancellationToken) => ValueTask.FromResult(CloneByCall());

    protected IExtentMap CloneByCall()
    {
        Scheduler.Note("the call that clones begins");
        var clone = new FileClonedByCall(_store, Pages) { Blocks = new SortedDictionary<int, long>(Blocks) };
        Scheduler.Note("the call that clones has returned");
        return clone;
    }
}

/// <summary>The same for a file that needs nothing flushed while nothing of it is dirty.</summary>
internal sealed class FileClonedPromptly(Store store, int pages) : FileClonedByCall(store, pages), IPromptCloneableExtentMap
{
    public IExtentMap? TryClone() => CloneByCall();
}

/// <summary>A file's map as a persist found it.</summary>
internal sealed class StoredImage(StoredFile file, SortedDictionary<int, long> blocks)
{
    public void BecomesDurable() => file.BecomeDurable(blocks);
}
