using System.Runtime.InteropServices;
using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.Storms;

/// <summary>
/// A storage engine of one volume: it knows which file shows which block, gives blocks out, takes them back and moves
/// them, by the protocol that the cache asks for. Its own steps run on one thread; clones and deletions come from any.
/// </summary>
/// <remarks>
/// Protocol of a change: announce the new content in the histories; sequence and extents (under the lock);
/// <c>InvalidateExtents</c> on every handle; from here on a read must see the new content; <c>Discard</c> of what nobody
/// shows any more; only then are those blocks given out again.
/// </remarks>
internal sealed partial class StormEngine
{
    private readonly StormOptions _options;
    private readonly Dice _dice;
    private readonly StormSerials _serials;
    private readonly List<Inode> _inodes = [];
    private readonly int[] _references;
    private readonly bool[] _isFree;
    private readonly uint[] _generations;
    private readonly List<int> _toDiscard = [];

    /// <summary>The change under way: a clone that is made meanwhile becomes part of it.</summary>
    private List<(Inode Inode, int Unit)>? _pending;
    private int _nextNumber;

    public StormEngine(StormOptions options, int number, PageCache cache, StormFaults faults, StormSerials serials)
    {
        _options = options;
        _serials = serials;
        Number = number;
        Faults = faults;
        _dice = new Dice(Dice.Mix(options.Seed, 1000 + (ulong)number));
        BlockSize = options.BlockSize;
        Device = new StormDevice(options.BlockSize, options.BlocksOnDevice, faults);
        Volume = cache.AttachVolume(Device);
        _references = new int[options.BlocksOnDevice];
        _isFree = new bool[options.BlocksOnDevice];
        _generations = new uint[options.BlocksOnDevice];
        Array.Fill(_isFree, true);
        for (var i = _dice.From(2, 4); i > 0; i--)
        {
            Bases.Add(MakeBase());
        }

        foreach (var inode in Bases.ToArray())
        {
            if (_dice.OneIn(2))
            {
                Bases.Add(MakeAlias(inode));
            }
        }
    }

    public int Number { get; }

    public int BlockSize { get; }

    public StormFaults Faults { get; }

    public StormDevice Device { get; }

    public CachedVolume Volume { get; }

    public Lock Lock { get; } = new();

    /// <summary>Held for a whole step of the engine; clones take it only if they are to find it quiet.</summary>
    public Lock StepLock { get; } = new();

    /// <summary>Files that are never deleted.</summary>
    public List<Inode> Bases { get; } = [];

    public long Steps { get; private set; }

    /// <summary>The clone hook, called by the cache inside the gate of the file.</summary>
    public IExtentMap CloneOf(Inode origin)
    {
        if (!_options.HasEngine)
        {
            return new CloneableInode(this, Interlocked.Increment(ref _nextNumber), origin.Layout, origin.Done, origin.Flags)
            {
                IsTransient = true,
            };
        }

        lock (Lock)
        {
            var layout = origin.Layout;
            var done = Array.ConvertAll(origin.Done, static moment => moment.Fork());
            var clone = new CloneableInode(this, Interlocked.Increment(ref _nextNumber), layout, done, origin.Flags)
            {
                IsTransient = true,
            };
            foreach (var block in layout.Blocks)
            {
                if (block >= 0)
                {
                    _references[block]++;
                }
            }

            _inodes.Add(clone);
            if (_pending is { } pending)
            {
                for (var i = pending.Count - 1; i >= 0; i--)
                {
                    if (pending[i].Inode == origin)
                    {
                        pending.Add((clone, pending[i].Unit));
                    }
                }
            }

            return clone;
        }
    }

    public void Register(Inode inode, MappedFile handle)
    {
        lock (Lock)
        {
            inode.Handles.Add(handle);
        }
    }

    /// <summary>A handle was closed; a clone without handles is deleted.</summary>
    public void Closed(Inode inode, MappedFile handle)
    {
        lock (Lock)
        {
            inode.Handles.Remove(handle);
            if (inode.IsTransient && inode.Handles.Count == 0 && _options.HasEngine)
            {
                Delete(inode);
            }
        }
    }

    /// <summary>One step of the engine.</summary>
    public void Step()
    {
        lock (StepLock)
        {
            StepLocked();
        }
    }

    private void StepLocked()
    {
        Steps++;
        DiscardAndFree();
        switch (_dice.Below(10))
        {
            case < 4:
                Remap();
                break;
            case < 5:
                Punch();
                break;
            case < 6:
                ShareRange();
                break;
            case < 8:
                OverwriteInPlace();
                break;
            default:
                Relocate();
                break;
        }
    }

    /// <summary>Whether a file shows blocks at an offset now: what a reverse query may answer.</summary>
    public static bool Shows(Inode inode, long offset, BlockRun blocks)
    {
        var layout = inode.Layout;
        var size = inode.Engine.BlockSize;
        for (long done = 0; done < blocks.Length;)
        {
            var at = offset + done - layout.Base;
            var unit = at / size;
            if (at < 0 || unit >= layout.Blocks.Length
                || layout.Blocks[unit] != (blocks.Offset + done) / size
                || at % size != (blocks.Offset + done) % size)
            {
                return false;
            }

            done += size - at % size;
        }

        return true;
    }

    private Inode MakeBase()
    {
        var units = Math.Max(1, _dice.From(_options.FileUnits / 2, _options.FileUnits));
        var (blocks, opaque, done) = (new int[units], new long[units], new Moment[units]);
        var perPage = Math.Max(1, _options.PageSize / BlockSize);
        for (var unit = 0; unit < units;)
        {
            var run = Math.Min(_dice.Pick(1, perPage, perPage, perPage * 2, perPage * 8, perPage * 32), units - unit);
            var kind = _dice.Below(20) switch
            {
                0 => Layout.Hole,
                1 => Layout.Unwritten,
                2 => Layout.OpaqueUnit,
                _ => 0,
            };
            var first = kind < 0 ? -1 : Allocate(run, aligned: !_dice.OneIn(5) || run < perPage);
            for (var i = 0; i < run; i++, unit++)
            {
                if (first >= 0)
                {
                    blocks[unit] = first + i;
                    done[unit] = new Moment(WriteNew(first + i));
                }
                else
                {
                    blocks[unit] = kind < 0 ? kind : Layout.Hole;
                    opaque[unit] = kind == Layout.OpaqueUnit ? _serials.Next($"opaque unit {unit} on volume {Number}") : Word.Zero;
                    done[unit] = new Moment(opaque[unit]);
                }
            }
        }

        var windowBytes = 512L * _options.PageSize;
        var front = _dice.Below(6) switch
        {
            0 => _dice.From(1, 3) * windowBytes,
            1 => _dice.From(513, 1100) * windowBytes,
            2 => _dice.Below(2000) * (long)BlockSize,
            3 => windowBytes - _options.FileUnits / 2 * (long)BlockSize,
            _ => 0,
        };
        front = Math.Max(0, front) / BlockSize * BlockSize;
        var tail = _dice.OneIn(2) ? 0 : _dice.Below(BlockSize);
        var behind = _dice.OneIn(4) ? _dice.Below(3 * windowBytes) : 0;
        return Add(new Layout(front, front + (long)units * BlockSize - tail + behind, blocks, opaque), done);
    }

    /// <summary>Another file over the same extents: at the same offset (a stranger) or at another one.</summary>
    private Inode MakeAlias(Inode origin)
    {
        var layout = origin.Layout;
        var front = _dice.OneIn(2) ? layout.Base : _dice.Below(600) * (long)Math.Max(BlockSize, _options.PageSize);
        var length = layout.Length - layout.Base + front;
        return Add(layout with { Base = front, Length = length }, Array.ConvertAll(origin.Done, static moment => moment.Fork()));
    }

    private Inode Add(Layout layout, Moment[] done)
    {
        var flags = _dice.OneIn(3) ? ExtentFlags.Shared : ExtentFlags.None;
        var number = Interlocked.Increment(ref _nextNumber);
        Inode inode = !_options.HasEngine && _dice.OneIn(3)
            ? new Inode(this, number, layout, done, flags)
            : new CloneableInode(this, number, layout, done, flags);
        foreach (var block in layout.Blocks)
        {
            if (block >= 0)
            {
                _references[block]++;
            }
        }

        _inodes.Add(inode);
        return inode;
    }

    private void Invalidate(MappedFile handle, long offset, long length)
    {
        try
        {
            handle.InvalidateExtents(offset, length);
        }
        catch (ObjectDisposedException) when (handle.IsClosed || _options.Kind.HasFlag(StormKind.Dispose))
        {
            // A worker has closed it meanwhile.
        }
    }

    /// <summary>Moves a run of blocks: data, cache, extents, discard of the old place.</summary>
    private void Relocate()
    {
        var perPage = Math.Max(1, _options.PageSize / BlockSize);
        var count = _dice.Pick(1, perPage, perPage * 2);
        var from = _dice.Below(_isFree.Length);
        from = _dice.OneIn(4) ? from : from / perPage * perPage;
        if (from + count > _isFree.Length)
        {
            return;
        }

        int to;
        lock (Lock)
        {
            to = _references.AsSpan(from, count).IndexOf(0) >= 0 ? -1 : Allocate(count, aligned: !_dice.OneIn(4));
            if (to < 0)
            {
                return;
            }

            // Held until the move is done, so that a deletion meanwhile does not free them.
            for (var i = 0; i < count; i++)
            {
                _references[from + i]++;
            }

            // One generation for the whole run, as Relocate tells it to the cache.
            var newest = _generations.AsSpan(to, count).ToArray().Max();
            _generations.AsSpan(to, count).Fill(newest);
        }

        for (var i = 0; i < count; i++)
        {
            Device.Copy(from + i, to + i);
        }

        Volume.Relocate(RunOf(from, count), RunOf(to, count), GenerationOf(from), GenerationOf(to));
        var handles = new List<MappedFile>();
        lock (Lock)
        {
            foreach (var inode in _inodes)
            {
                var old = inode.Layout.Blocks;
                int[]? blocks = null;
                for (var unit = 0; unit < old.Length; unit++)
                {
                    if (old[unit] >= from && old[unit] < from + count)
                    {
                        blocks ??= [.. old];
                        blocks[unit] = old[unit] - from + to;
                        _references[blocks[unit]]++;
                    }
                }

                if (blocks is not null)
                {
                    inode.Change(inode.Layout with { Blocks = blocks });
                    handles.AddRange(inode.Handles);
                    Drop([.. old.Where((block, unit) => block != blocks[unit])]);
                }
            }

            Drop([.. Enumerable.Range(from, count)]);
            for (var i = 0; i < count; i++)
            {
                if (_references[to + i] == 0)
                {
                    _toDiscard.Add(to + i);
                }
            }
        }

        // Nothing has to be dropped, but the change is over.
        handles.ForEach(handle => Invalidate(handle, 0, 0));
        DiscardAndFree();
    }

    /// <summary>The change is done: reads that begin now must see it.</summary>
    private void Complete()
    {
        lock (Lock)
        {
            foreach (var (inode, unit) in CollectionsMarshal.AsSpan(_pending))
            {
                Volatile.Write(ref inode.Done[unit], inode.Done[unit].Newest);
            }

            _pending = null;
        }
    }

    private void Delete(Inode inode)
    {
        inode.IsDeleted = true;
        _inodes.Remove(inode);
        var layout = inode.Layout;
        var holes = new int[layout.Blocks.Length];
        Array.Fill(holes, Layout.Hole);
        inode.Change(layout with { Blocks = holes });
        Drop(layout.Blocks);
    }

    private (Inode? Inode, int Unit, int Count) PickRange(int most)
    {
        lock (Lock)
        {
            var inode = _inodes[_dice.Below(_inodes.Count)];
            if (inode.IsTransient && inode.Handles.Count == 0)
            {
                // A clone that its caller does not have yet: nobody could invalidate it.
                inode = Bases[_dice.Below(Bases.Count)];
            }

            var units = inode.Layout.Blocks.Length;
            var perPage = Math.Max(1, _options.PageSize / BlockSize);
            var unit = _dice.Below(units);
            unit = _dice.OneIn(2) ? unit : unit / perPage * perPage;
            return (inode, unit, Math.Min(_dice.From(1, most * perPage), units - unit));
        }
    }
}
