using System.Buffers;

namespace SharedPageCache.Tests.Writing;

/// <summary>
/// The smallest engine that can be written: a map of pages to blocks for each file, reference counts of blocks, and a
/// durable copy of all maps that only Persist renews. Counts what it is asked, and fails when it is told to.
/// </summary>
public sealed partial class PageEngine(long blocks, int pageSize, bool inPlace = false) : IPlacementEngine
{
    private readonly Lock _lock = new();
    private readonly int[] _references = new int[blocks];
    private readonly HashSet<long> _placed = [];
    private readonly List<long> _freedSincePersist = [];
    private readonly List<PageFile> _files = [];
    private long _next;

    /// <summary>The volume that hears of freed blocks.</summary>
    public CachedVolume? Volume { get; set; }

    /// <summary>Called at the beginning of each port and hook with its name; what it throws is thrown.</summary>
    public Action<string>? Before { get; set; }

    /// <summary>Whether <see cref="Before"/> is called for each look at a file's sequence too.</summary>
    public bool TellsSequence { get; set; }

    /// <summary>Called inside Place, before it answers.</summary>
    public Func<Task>? DuringPlace { get; set; }

    /// <summary>Changes what Place answers.</summary>
    public Func<List<PlacedRun>, List<PlacedRun>>? Answer { get; set; }

    /// <summary>Called inside Publish, when the files have changed.</summary>
    public Action? AfterBinding { get; set; }

    /// <summary>Every publication: the run and its owners.</summary>
    public List<(BlockRun Run, RunOwner[] Owners)> Published { get; } = [];

    public List<BlockRun> Abandoned { get; } = [];

    /// <summary>The ranges of each call of the hook CloneRange.</summary>
    public List<SharedRange[]> Cloned { get; } = [];

    public List<Lsn> EnsuredDurable { get; } = [];

    public int Persists { get; private set; }

    public int Placements { get; private set; }

    public int Unshares { get; private set; }

    public int PageSize => pageSize;

    /// <summary>Blocks that are shown by a file, or placed.</summary>
    public int BlocksInUse
    {
        get
        {
            lock (_lock)
            {
                return _references.Count(static count => count != 0) + _placed.Count;
            }
        }
    }

    public PageFile Create(long length = 0)
    {
        lock (_lock)
        {
            var file = new PageFile(this, length);
            _files.Add(file);
            file.Persist();
            return file;
        }
    }

    public SystemClonedFile CreateSystemCloned(long length) => Add(new SystemClonedFile(this, length));

    public PromptlyClonedFile CreatePromptlyCloned(long length) => Add(new PromptlyClonedFile(this, length));

    private T Add<T>(T file)
        where T : PageFile
    {
        lock (_lock)
        {
            _files.Add(file);
            file.Persist();
            return file;
        }
    }

    /// <summary>A file of which the first pages lie in the first free blocks, as they are.</summary>
    public PageFile CreateMapped(long pages)
    {
        lock (_lock)
        {
            var file = new PageFile(this, pages * pageSize);
            _files.Add(file);
            for (var page = 0L; page < pages; page++)
            {
                var block = Take();
                file.Blocks[page] = block;
                _references[block]++;
            }

            file.Persist();
            return file;
        }
    }

    /// <summary>What a file would hold if the machine stopped now: its pages as of the last Persist, read from a device.</summary>
    public static byte[] Durable(PageFile file, ReadOnlySpan<byte> device)
    {
        var bytes = new byte[file.DurableLength];
        foreach (var (page, block) in file.DurableBlocks)
        {
            var start = page * file.Engine.PageSize;
            if (start < bytes.Length)
            {
                var count = (int)Math.Min(file.Engine.PageSize, bytes.Length - start);
                device.Slice((int)(block * file.Engine.PageSize), count).CopyTo(bytes.AsSpan((int)start));
            }
        }

        return bytes;
    }

    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken)
    {
        Before?.Invoke("EnsureDurable");
        EnsuredDurable.Add(lsn);
        return ValueTask.CompletedTask;
    }

    public async ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        Before?.Invoke("Place");
        if (DuringPlace is { } during)
        {
            await during();
        }

        lock (_lock)
        {
            Placements++;
            var taken = new List<long>();
            var answer = new List<PlacedRun>();
            foreach (var run in dirty.Span)
            {
                for (var done = 0L; done < run.Length; done += pageSize)
                {
                    var old = run.Replaces.IsSome ? (run.Replaces.Offset + done) / pageSize : -1;
                    if (inPlace && old >= 0 && IsOnlyOf(old, run.Owners.Span, done))
                    {
                        answer.Add(new PlacedRun(new BlockRun(old * pageSize, pageSize)));
                        continue;
                    }

                    try
                    {
                        taken.Add(Take());
                    }
                    catch (IOException)
                    {
                        _placed.ExceptWith(taken);
                        throw;
                    }

                    _placed.Add(taken[^1]);
                    answer.Add(new PlacedRun(new BlockRun(taken[^1] * pageSize, pageSize)));
                }
            }

            placed.Write((Answer?.Invoke(answer) ?? answer).ToArray());
        }
    }

    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
        Before?.Invoke("Publish");
        lock (_lock)
        {
            Published.Add((run, owners.ToArray()));
            foreach (var owner in owners)
            {
                var file = (PageFile)owner.File;
                for (var done = 0L; done < run.Length; done += pageSize)
                {
                    file.Bind((owner.FileOffset + done) / pageSize, (run.Offset + done) / pageSize);
                }

            }

            foreach (var file in owners.ToArray().Select(static owner => (PageFile)owner.File).Distinct())
            {
                file.Advance();
            }

            AfterBinding?.Invoke();
            for (var done = 0L; done < run.Length; done += pageSize)
            {
                _placed.Remove((run.Offset + done) / pageSize);
            }
        }
    }

    public async ValueTask PersistAsync(CancellationToken cancellationToken)
    {
        await Task.Yield();
        Before?.Invoke("Persist");
        List<long> freed;
        lock (_lock)
        {
            Persists++;
            foreach (var file in _files)
            {
                file.Persist();
            }

            freed = [.. _freedSincePersist.Where(block => _references[block] == 0)];
            _freedSincePersist.Clear();
        }

        // Nothing durable shows them any more: what is cached of them goes, then they may be used again.
        foreach (var block in freed)
        {
            Volume?.Discard(new BlockRun(block * pageSize, pageSize));
        }

        lock (_lock)
        {
            _reusable.UnionWith(freed);
        }
    }

    public void Abandon(BlockRun run)
    {
        Before?.Invoke("Abandon");
        lock (_lock)
        {
            Abandoned.Add(run);
            for (var done = 0L; done < run.Length; done += pageSize)
            {
                var block = (run.Offset + done) / pageSize;
                if (_placed.Remove(block))
                {
                    _reusable.Add(block);
                }
            }
        }
    }

    private readonly SortedSet<long> _reusable = [];

    /// <summary>A block that nobody uses, for a file that the engine moves itself; null if there is none.</summary>
    public long? TakeSpare()
    {
        lock (_lock)
        {
            return _next < _references.Length ? _next++ : null;
        }
    }

    internal T Locked<T>(string name, Func<T> change)
    {
        Before?.Invoke(name);
        lock (_lock)
        {
            return change();
        }
    }

    internal void NoteUnshare() => Unshares++;

    internal void Add(PageFile file) => _files.Add(file);

    internal void Refer(long block) => _references[block]++;

    internal void Unrefer(long block)
    {
        if (--_references[block] == 0)
        {
            _freedSincePersist.Add(block);
        }
    }

    /// <summary>Whether nobody but the owners shows a block, and each of them does.</summary>
    private bool IsOnlyOf(long block, ReadOnlySpan<RunOwner> owners, long done)
    {
        foreach (var owner in owners)
        {
            if (!((PageFile)owner.File).Blocks.TryGetValue((owner.FileOffset + done) / pageSize, out var known) || known != block)
            {
                return false;
            }
        }

        return _references[block] == owners.Length;
    }

    private long Take()
    {
        if (_next < _references.Length)
        {
            return _next++;
        }

        if (_reusable.Count == 0)
        {
            throw new IOException($"no space: all {_references.Length} blocks are in use.");
        }

        var block = _reusable.Min;
        _reusable.Remove(block);
        return block;
    }
}
