using System.Buffers;
using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.World;

/// <summary>
/// An engine that places each dirty page in the lowest block that is free, so that a block comes into other hands as soon as the ports
/// allow it; or, if it is told so, in the block that it replaces, where nobody else shows that. It checks what the cache asks: a block is published or given back once, written only between Place and that, and
/// never shown before it is stable.
/// </summary>
internal sealed class Store(WriteDevice device) : IPlacementEngine
{
    private readonly List<StoredFile> _files = [];
    private readonly HashSet<long> _placed = [];
    private readonly HashSet<long> _inPlace = [];
    private readonly Dictionary<long, uint> _generations = [];

    /// <summary>Whether pages are placed where they are, if nobody but their owners shows the block.</summary>
    public bool PlacesInPlace { get; init; }

    /// <summary>Whether each block that is given out anew has another generation; then nobody is told when it is.</summary>
    public bool HasGenerations { get; init; }

    /// <summary>Whether the volume is told before a freed block is given out again. Not of one that a hook has freed: the cache knows.</summary>
    public bool TellsOfFreed { get; init; } = true;

    /// <summary>Pages that were placed where they are.</summary>
    public int PlacedInPlace { get; private set; }

    /// <summary>The volume that hears of freed blocks.</summary>
    public CachedVolume Volume { get; set; } = null!;

    /// <summary>How many of the next calls of Publish refuse, of Place have no room, of Persist fail.</summary>
    public int FailingPublishes { get; set; }

    public int FailingPlaces { get; set; }

    public int FailingPersists { get; set; }

    /// <summary>Called after each persist: what would be there after a crash.</summary>
    public Action Persisted { get; set; } = static () => { };

    public IReadOnlyCollection<long> Placed => _placed;

    /// <summary>How often a block was given out, as far as the engine counts that.</summary>
    public uint GenerationOf(long block) => HasGenerations ? _generations.GetValueOrDefault(block, 1u) : 0;

    public void Add(StoredFile file) => _files.Add(file);

    public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask PlaceAsync(ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken)
    {
        Scheduler.Note("the engine is asked for places");
        if (FailingPlaces > 0)
        {
            FailingPlaces--;
            throw new IOException("no space.");
        }

        foreach (var run in dirty.ToArray())
        {
            for (var page = 0; page < run.Length / Sector.Size; page++)
            {
                var block = PlacesInPlace && IsOnlyOf(run, page) ? TakeInPlace(run.Replaces.Offset / Sector.Size + page) : Take();
                placed.Write([new PlacedRun(new BlockRun(block * Sector.Size, Sector.Size), GenerationOf(block))]);
            }
        }

        Scheduler.Note($"the engine has placed, and has {string.Join(", ", _placed)} under way");
        return ValueTask.CompletedTask;
    }

    public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners)
    {
        Scheduler.Note($"publish of {run} to {owners.Length} owners");
        if (FailingPublishes > 0)
        {
            FailingPublishes--;
            throw new IOException("no metadata.");
        }

        Require(owners.Length > 0, "nobody owns what is published");
        var files = new HashSet<StoredFile>();
        foreach (var owner in owners)
        {
            var file = (StoredFile)owner.File;
            files.Add(file);
            Require(!file.IsDeleted, "a deleted file is bound");
            for (var i = 0; i < run.Length / Sector.Size; i++)
            {
                var page = (int)(owner.FileOffset / Sector.Size) + i;
                Require(page < file.Pages, $"page {page} is bound behind the end of a file of {file.Pages}");
                file.Blocks[page] = run.Offset / Sector.Size + i;
            }
        }

        foreach (var file in files)
        {
            file.Advance();
        }

        Release(run);
        Scheduler.Note($"published {run}");
    }

    public ValueTask PersistAsync(CancellationToken cancellationToken)
    {
        Scheduler.Note("persist begins");
        var images = _files.ConvertAll(static file => file.Image());
        Scheduler.Note("persist is under way");
        if (FailingPersists > 0)
        {
            FailingPersists--;
            throw new IOException("the metadata cannot be written.");
        }

        images.ForEach(static image => image.BecomesDurable());
        Persisted();
        Scheduler.Note("persist has ended");
        return ValueTask.CompletedTask;
    }

    public void Abandon(BlockRun run)
    {
        Scheduler.Note($"{run} is given back");
        Release(run);
    }

    /// <summary>
    /// A block may be written only between Place and Publish: nobody shows it, now or after a crash; or it was placed where it is.
    /// </summary>
    public void RequireOwnOfWriteback(long block)
    {
        Require(_placed.Contains(block), $"block {block} is written after it was published or given back (A6)");
        Require(_inPlace.Contains(block) || !IsShown(block), $"block {block} is written while a file shows it");
    }

    private long Take()
    {
        for (var block = 0L; ; block++)
        {
            if (!_placed.Contains(block) && !IsShown(block))
            {
                if (HasGenerations)
                {
                    _generations[block] = GenerationOf(block) + 1;
                }
                else if (TellsOfFreed)
                {
                    // Discarded before it is given out again; nobody else can place meanwhile, and no file can come to it.
                    Volume.Discard(new BlockRun(block * Sector.Size, Sector.Size));
                }

                _placed.Add(block);
                return block;
            }
        }
    }

    private long TakeInPlace(long block)
    {
        PlacedInPlace++;
        _placed.Add(block);
        _inPlace.Add(block);
        return block;
    }

    /// <summary>Whether the owners of a dirty page show the block that it replaces, all of them, and nobody else, now or after a crash.</summary>
    private bool IsOnlyOf(DirtyRun run, int page)
    {
        if (!run.Replaces.IsSome)
        {
            return false;
        }

        var block = run.Replaces.Offset / Sector.Size + page;
        var owners = run.Owners.ToArray()
            .Select(owner => (File: (StoredFile)owner.File, Page: (int)(owner.FileOffset / Sector.Size) + page)).ToHashSet();
        return !_placed.Contains(block)
            && owners.All(owner => owner.File.Blocks.TryGetValue(owner.Page, out var shown) && shown == block)
            && _files.TrueForAll(file => file.PlacesOf(block).All(shown => owners.Contains((file, shown))));
    }

    private bool IsShown(long block) => _files.Exists(file => file.Shows(block));

    private void Release(BlockRun run)
    {
        for (var block = run.Offset / Sector.Size; block < run.End / Sector.Size; block++)
        {
            Require(_placed.Remove(block), $"block {block} is published or given back a second time");
            _inPlace.Remove(block);
        }
    }

    private static void Require(bool condition, string message) => WriteUniverse.Require(condition, message);

    /// <summary>What would be there of a page of a file after a crash; null for zeros.</summary>
    public byte[]? AfterCrash(StoredFile file, int page) =>
        file.DurableBlocks.TryGetValue(page, out var block) ? device.AfterCrash(block).ToArray() : null;
}
