using System.Buffers;

namespace SharedPageCache.Tests.Writing.Modelled;

/// <summary>
/// An engine that is fast enough for millions of operations: a map from pages to blocks for each file, as an array; blocks with
/// two counts, of the files that show them now and of those that would after a crash; and a durable copy of each map, which only
/// Persist renews.
/// </summary>
/// <remarks>
/// A block is free when both counts are zero, the cache was told that it is, and no write-back has it. Places in place, if it does,
/// only what nobody but the owners shows, now or after a crash.
/// </remarks>
/// <param name="device">Where the blocks are.</param>
/// <param name="blocks">How many; the first one is never given out.</param>
/// <param name="pageSize">The size of a page, and of a block.</param>
/// <param name="inPlace">Whether pages are written where they are, where that is possible.</param>
/// <param name="yields">Whether its ports go on on another thread.</param>
public sealed class ArrayEngine(ArrayDevice device, int blocks, int pageSize, bool inPlace, bool yields) : IPlacementEngine
{
    private readonly Lock _lock = new();
    private readonly int[] _shown = new int[blocks];
    private readonly int[] _durable = new int[blocks];
    private readonly BlockUse[] _uses = new BlockUse[blocks];
    private readonly List<ArrayFile> _changed = [];
    private List<int> _freed = [];
    private int _next;

    private enum BlockUse : byte
    {
        None,

        /// <summary>A write-back was given it, and has neither published nor abandoned it.</summary>
        Placed,

        /// <summary>Nobody shows it any more, and the cache does not know it yet.</summary>
        Freed,
    }

    /// <summary>The volume that hears of freed blocks.</summary>
    public CachedVolume? Volume { get; set; }

    public int PageSize => pageSize;

    public int Blocks => blocks;

    /// <summary>A file of holes, durable at once.</summary>
    public ArrayFile Create(long length) => new(this, length) { DurableLength = length };

    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public async ValueTask PlaceAsync(ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        if (yields)
        {
            await Task.Yield();
        }

        lock (_lock)
        {
            foreach (var run in dirty.Span)
            {
                for (var done = 0L; done < run.Length; done += pageSize)
                {
                    var old = run.Replaces.IsSome ? (int)((run.Replaces.Offset + done) / pageSize) : 0;
                    var block = inPlace && old > 0 && _uses[old] == BlockUse.None && IsOnlyOf(old, run.Owners.Span, done) ? old : Take();
                    _uses[block] = BlockUse.Placed;
                    placed.Write([new PlacedRun(RunOf(block))]);
                }
            }
        }
    }

    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
        lock (_lock)
        {
            // One step of the sequence for each file, however many of its pages are named.
            for (var i = 0; i < owners.Length; i++)
            {
                var file = (ArrayFile)owners[i].File;
                if (!IsNamedBefore(owners, i))
                {
                    file.Advance();
                }

                for (var done = 0L; done < run.Length; done += pageSize)
                {
                    Bind(file, (int)((owners[i].FileOffset + done) / pageSize), (int)((run.Offset + done) / pageSize));
                }
            }

            NoteEnd(run);
        }
    }

    public void Abandon(BlockRun run)
    {
        lock (_lock)
        {
            NoteEnd(run);
        }
    }

    public async ValueTask PersistAsync(CancellationToken cancellationToken)
    {
        if (yields)
        {
            await Task.Yield();
        }

        List<int> freed;
        lock (_lock)
        {
            foreach (var file in _changed)
            {
                file.Persist(this);
            }

            _changed.Clear();
            (freed, _freed) = (_freed, []);
        }

        // Nothing shows them any more, now or after a crash: what is cached of them goes, then they may be used again.
        freed.Sort();
        for (var i = 0; i < freed.Count;)
        {
            var first = i++;
            while (i < freed.Count && freed[i] == freed[i - 1] + 1)
            {
                i++;
            }

            Volume!.Discard(new BlockRun((long)freed[first] * pageSize, (long)(i - first) * pageSize));
        }

        lock (_lock)
        {
            foreach (var block in freed)
            {
                _uses[block] = BlockUse.None;
            }
        }
    }

    /// <summary>The engine moves the content of a block, as a defragmenter would.</summary>
    /// <param name="near">Where it looks for a block that can be moved.</param>
    /// <param name="moved">Receives the files that show it.</param>
    /// <param name="files">All files that may.</param>
    /// <returns>Whether a block was moved.</returns>
    public bool TryMove(int near, ICollection<IExtentMap> moved, IEnumerable<ArrayFile> files)
    {
        lock (_lock)
        {
            var block = near % blocks;
            for (var looked = 0; looked < 64 && (_shown[block] == 0 || _uses[block] != BlockUse.None); looked++)
            {
                block = (block + 1) % blocks;
            }

            if (_shown[block] == 0 || _uses[block] != BlockUse.None)
            {
                return false;
            }

            var to = Take();
            device.Copy(RunOf(block).Offset, RunOf(to).Offset, pageSize);
            try
            {
                Volume!.Relocate(RunOf(block), RunOf(to));
            }
            catch (InvalidOperationException)
            {
                // It was published this moment, and the cache still calls it placed.
                return false;
            }

            foreach (var file in files)
            {
                if (file.Shows(block))
                {
                    moved.Add(file);
                    file.Advance();
                    for (var page = 0; page < file.Pages; page++)
                    {
                        if (file.BlockOf(page) == block)
                        {
                            Bind(file, page, to);
                        }
                    }
                }
            }

            return true;
        }
    }

    /// <summary>A file that is not open any more goes.</summary>
    public void Forget(ArrayFile file)
    {
        lock (_lock)
        {
            Cut(file, 0, int.MaxValue);
            file.Length = 0;
        }
    }

    /// <summary>What a crash would leave of a file, from any byte on.</summary>
    public void ReadDurable(ArrayFile file, long offset, Span<byte> destination)
    {
        lock (_lock)
        {
            while (!destination.IsEmpty)
            {
                var inPage = (int)(offset % pageSize);
                var part = Math.Min(pageSize - inPage, destination.Length);
                var block = file.DurableBlockOf((int)(offset / pageSize));
                if (block == 0)
                {
                    destination[..part].Clear();
                }
                else
                {
                    device.Peek(RunOf(block).Offset + inPage, destination[..part]);
                }

                offset += part;
                destination = destination[part..];
            }
        }
    }

    /// <summary>With nothing dirty and all flushed no block is left over.</summary>
    public string? FaultAtRest()
    {
        lock (_lock)
        {
            var block = Array.IndexOf(_uses, BlockUse.Placed);
            return block < 0 ? null : $"block {block} was placed, and neither published nor abandoned";
        }
    }

    internal T Locked<T>(Func<T> change)
    {
        lock (_lock)
        {
            return change();
        }
    }

    internal void NoteChange(ArrayFile file)
    {
        if (!file.IsChanged)
        {
            file.IsChanged = true;
            _changed.Add(file);
        }
    }

    internal void Bind(ArrayFile file, int page, int block)
    {
        var old = file.BlockOf(page);
        _shown[block]++;
        file.Put(page, block);
        if (old != 0)
        {
            Unshow(old);
        }

        NoteChange(file);
    }

    internal void Cut(ArrayFile file, int firstPage, int endPage)
    {
        for (var page = firstPage; page < Math.Min(endPage, file.Pages); page++)
        {
            if (file.BlockOf(page) is var block and not 0)
            {
                file.Put(page, 0);
                Unshow(block);
            }
        }

        NoteChange(file);
    }

    internal void Show(int block) => _shown[block]++;

    internal void ShowDurably(int block) => _durable[block]++;

    internal void Unshow(int block)
    {
        _shown[block]--;
        NoteIfFree(block);
    }

    internal void UnshowDurably(int block)
    {
        _durable[block]--;
        NoteIfFree(block);
    }

    private static bool IsNamedBefore(ReadOnlySpan<RunOwner> owners, int i)
    {
        foreach (var owner in owners[..i])
        {
            if (owner.File == owners[i].File)
            {
                return true;
            }
        }

        return false;
    }

    private BlockRun RunOf(int block) => new((long)block * pageSize, pageSize);

    private void NoteEnd(BlockRun run)
    {
        for (var done = 0L; done < run.Length; done += pageSize)
        {
            var block = (int)((run.Offset + done) / pageSize);
            Assert.Equal(BlockUse.Placed, _uses[block]);
            _uses[block] = BlockUse.None;
            NoteIfFree(block);
        }
    }

    /// <summary>A block that was never shown, or is not any more: the cache is told at the next Persist.</summary>
    private void NoteIfFree(int block)
    {
        if (_shown[block] == 0 && _durable[block] == 0 && _uses[block] == BlockUse.None)
        {
            _uses[block] = BlockUse.Freed;
            _freed.Add(block);
        }
    }

    /// <summary>Whether nobody but the owners shows a block, now or after a crash, and each of them does.</summary>
    private bool IsOnlyOf(int block, ReadOnlySpan<RunOwner> owners, long done)
    {
        var durably = 0;
        foreach (var owner in owners)
        {
            var (file, page) = ((ArrayFile)owner.File, (int)((owner.FileOffset + done) / pageSize));
            if (file.BlockOf(page) != block)
            {
                return false;
            }

            durably += file.DurableBlockOf(page) == block ? 1 : 0;
        }

        return _shown[block] == owners.Length && _durable[block] == durably;
    }

    /// <summary>The next free block: neighbours are given out together, as long as there are some.</summary>
    private int Take()
    {
        for (var looked = 0; looked < blocks; looked++)
        {
            _next = _next + 1 < blocks ? _next + 1 : 1;
            if (_uses[_next] == BlockUse.None && _shown[_next] == 0 && _durable[_next] == 0)
            {
                return _next;
            }
        }

        throw new IOException($"no space: all {blocks} blocks are in use.");
    }
}
