using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow.Space;

/// <summary>Who has which block. Under the volume's lock.</summary>
/// <remarks>
/// <para>Every block behind the superblocks is in exactly one of these states (<c>Check</c> proves it):</para>
/// <code>
///            Place                 Publish                  last reference gone
///   free ------------> placed ------------------> shown ------------------------> pending ----+
///    ^                   |                                                          ^         |
///    |      Abandon      |                  commit              replaced            |         |
///    +-------------------+      free -----------------> metadata -------------------+         |
///    |                                                                                        |
///    +---------- both superblocks are newer than the last state that needs it: Discard -------+
/// </code>
/// <para>
/// <b>Why pending.</b> A block that memory has done with is still part of states on disk. It is tagged with the first
/// generation that will do without it, and may be used again when <i>both</i> superblocks hold that generation or a
/// newer one. One would be enough against power failures, where a superblock is lost only while it is written; two let
/// a volume whose newest superblock has become unreadable open in the state before, with every block of it untouched.
/// </para>
/// <para>
/// <b>Nothing of this is on disk.</b> Opening a volume reads all its metadata anyway, because hooks may do no I/O, and
/// what no tree leads to is free. So there is no free map that could disagree with the trees.
/// </para>
/// <para>
/// <b>Layout.</b> Content is taken from the front, near what it replaces; metadata from the end, so that it does not
/// break up the room for content. Closed to content are as many blocks as there are pieces of metadata that a commit has
/// still to place, and <see cref="Reserve"/> more. So what was written can be committed, and a full volume can commit the
/// deletion that makes room.
/// </para>
/// </remarks>
internal sealed class SpaceMap
{
    private const int NeighboursTried = 16;

    private readonly long _first;
    private readonly RunSet _free = new();
    private readonly RunSet _placed = new();
    private readonly Queue<Pending> _pending = new();
    private BlockCounts _shown;

    /// <summary>Pieces of metadata made since the last snapshot; those that went again count too.</summary>
    private long _made;

    /// <summary>Pieces of metadata that a snapshot has and that may have no address yet.</summary>
    private long _owed;

    /// <summary>The newest pending run of content, not yet in the queue: it may still grow.</summary>
    private Pending _growing;

    public SpaceMap(long firstBlock, long totalBlocks, long generation)
    {
        Generation = generation;
        _first = firstBlock;
        TotalBlocks = totalBlocks;
        _shown = new BlockCounts(totalBlocks);
        Reserve = Math.Max(16, totalBlocks / 64);
    }

    public long TotalBlocks { get; }

    public long Reserve { get; }

    /// <summary>The generation that the next commit's snapshot will have: the birth of everything made now.</summary>
    public long Generation { get; private set; }

    public long FreeBlocks => _free.Blocks;

    public long PlacedBlocks => _placed.Blocks;

    public long ShownBlocks => _shown.NonZero;

    public long PendingBlocks => PendingRuns.Sum(static run => run.Count);

    public bool HasPending => _pending.Count > 0 || _growing.Run.Count > 0;

    /// <summary>Whether room is kept for metadata that has no address yet.</summary>
    public bool HasUnplaced => _made + _owed > 0;

    public IEnumerable<Run> FreeRuns => _free.Runs;

    public IEnumerable<Run> PlacedRuns => _placed.Runs;

    public IEnumerable<Run> ShownRuns => _shown.Runs(_first, zero: false);

    public IEnumerable<Run> PendingRuns =>
        _pending.Append(_growing).Select(static pending => pending.Blocks).Where(static run => run.Count > 0);

    /// <summary>Takes what a volume was found to use when it was opened; the rest is free.</summary>
    public void Load(BlockCounts shown, IReadOnlyCollection<long> metadata)
    {
        foreach (var block in metadata)
        {
            shown.Increment(block);
        }

        foreach (var run in shown.Runs(_first, zero: true))
        {
            _free.Add(run);
        }

        foreach (var block in metadata)
        {
            shown.Decrement(block);
        }

        _shown = shown;
    }

    /// <summary>A piece of metadata was made, which will need a block.</summary>
    public void NoteMade(int count = 1) => _made += count;

    /// <summary>Takes the generation for a snapshot; what is made from now on is part of the next.</summary>
    public long Freeze()
    {
        _owed += _made;
        _made = 0;
        return Generation++;
    }

    public int References(long block) => _shown[block];

    public void AddReference(long block) => _shown.Increment(block);

    public void DropReference(long block)
    {
        if (!_shown.Decrement(block))
        {
            return;
        }

        if (_growing.Tag == Generation && _growing.Run.End == block && _growing.Run.Count > 0)
        {
            _growing = _growing with { Run = _growing.Run with { Count = _growing.Run.Count + 1 } };
            return;
        }

        StopGrowing();
        _growing = new Pending(Generation, null, new Run(block, 1));
    }

    /// <summary>
    /// Memory has done with a piece of metadata. Its address is looked up when the time comes, not now: the commit that
    /// is under way may be about to give it one.
    /// </summary>
    public void Retire(MetaBlock piece)
    {
        if (piece.Birth != Generation)
        {
            StopGrowing();
            _pending.Enqueue(new Pending(Generation, piece, default));
        }
    }

    /// <summary>Whether there is room for so much content and the metadata that showing it will make.</summary>
    public bool HasRoom(long content, long metadata) => _free.Blocks - content - metadata - _made - _owed >= Reserve;

    /// <summary>Takes blocks for content.</summary>
    /// <param name="count">How many, a multiple of <paramref name="grain"/>.</param>
    /// <param name="near">The block behind which they should lie.</param>
    /// <param name="grain">Each run starts at a multiple of this and is one in length: a cache's page in blocks.</param>
    /// <param name="taken">Receives the runs.</param>
    /// <returns>Whether there was room; if not, nothing was taken.</returns>
    public bool TryPlace(long count, long near, long grain, List<Run> taken)
    {

        var before = taken.Count;
        while (count > 0)
        {
            if (FindRoom(count, near, grain) is not { } run)
            {
                foreach (var given in taken.Skip(before))
                {
                    Abandon(given);
                }

                taken.RemoveRange(before, taken.Count - before);
                return false;
            }

            _free.Remove(run);
            _placed.Add(run);
            taken.Add(run);
            count -= run.Count;
            near = run.End;
        }

        return true;
    }

    public bool IsPlaced(Run run) => _placed.Contains(run);

    /// <summary>A placed run is shown now; its references were added.</summary>
    public void Published(Run run) => _placed.Remove(run);

    public void Abandon(Run run)
    {
        _placed.Remove(run);
        _free.Add(run);
    }

    /// <summary>Gives every piece of metadata that has none an address. All or nothing.</summary>
    public void PlaceMetadata(IReadOnlyList<MetaBlock> pieces)
    {
        var homeless = pieces.Where(static piece => piece.Block == 0).ToList();
        if (homeless.Count > _free.Blocks)
        {
            throw new VolumeFullException(homeless.Count, _free.Blocks, "the metadata of a commit");
        }

        // From the end of the volume, ascending, so that neighbours in the list are neighbours on disk.
        for (var left = homeless.Count; left > 0;)
        {
            var last = _free.Last!.Value;
            var count = Math.Min(left, last.Count);
            var run = new Run(last.End - count, count);
            _free.Remove(run);
            for (var i = 1; i <= count; i++)
            {
                homeless[left - i].Block = run.End - i;
            }

            left -= (int)count;
        }

        _owed = 0;
    }

    /// <summary>Takes the pending blocks that no state on disk needs any more, given the older superblock's generation.</summary>
    /// <returns>Runs that belong to the caller, who discards them and then calls <see cref="Free"/>.</returns>
    public List<Run> Sweep(long oldest)
    {
        StopGrowing();
        var swept = new RunSet();
        while (_pending.TryPeek(out var pending) && pending.Tag <= oldest)
        {
            _pending.Dequeue();
            if (pending.Blocks is { Count: > 0 } run)
            {
                swept.Add(run);
            }
        }

        return [.. swept.Runs];
    }

    /// <summary>Makes a swept run free.</summary>
    public void Free(Run run) => _free.Add(run);

    /// <summary>A swept run could not be discarded: it waits for another sweep.</summary>
    public void Postpone(Run run)
    {
        StopGrowing();
        _pending.Enqueue(new Pending(Generation, null, run));
    }

    private Run? FindRoom(long count, long near, long grain)
    {
        // Near, if the first few runs from there on have one that is long enough.
        var at = near;
        for (var i = 0; i < NeighboursTried && _free.AtOrAfter(at) is { } neighbour; i++, at = neighbour.End)
        {
            var from = Math.Max(near, neighbour.Start);
            if (Grains(new Run(from, neighbour.End - from), grain) is { } piece && piece.Count >= count)
            {
                return piece with { Count = count };
            }
        }

        // Else the shortest run that is long enough for sure.
        if (_free.Fitting(count + grain - 1) is { } fitting && Grains(fitting, grain) is { } whole)
        {
            return whole with { Count = count };
        }

        // No run is long enough: pieces, the longest first.
        foreach (var run in _free.LongestFirst)
        {
            if (run.Count < grain)
            {
                break;
            }

            if (Grains(run, grain) is { } piece)
            {
                return piece with { Count = Math.Min(piece.Count, count) };
            }
        }

        return null;
    }

    /// <summary>The part of a run that consists of whole, aligned grains.</summary>
    private static Run? Grains(Run run, long grain)
    {
        var start = (run.Start + grain - 1) / grain * grain;
        var end = run.End / grain * grain;
        return start < end ? new Run(start, end - start) : null;
    }

    private void StopGrowing()
    {
        if (_growing.Run.Count > 0)
        {
            _pending.Enqueue(_growing);
            _growing = default;
        }
    }

    /// <summary>A run of content or a piece of metadata, and the first generation that does without it.</summary>
    private readonly record struct Pending(long Tag, MetaBlock? Piece, Run Run)
    {
        public Run Blocks => Piece is null ? Run : Piece.Block == 0 ? default : new Run(Piece.Block, 1);
    }
}
