using SharedPageCache.Cow.Disk;
using SharedPageCache.Cow.Space;
using SharedPageCache.Cow.Trees;

namespace SharedPageCache.Cow.Checking;

/// <summary>Counts everything again, from the disk and from the files in memory, and compares.</summary>
/// <remarks>Runs in a committer's turn, so what is on disk does not change meanwhile.</remarks>
internal sealed class VolumeChecker(VolumeState state, BlockStore store, Committer committer)
{
    private readonly List<string> _violations = [];
    private readonly TreeShape _shape = state.Trees.Shape;

    public CheckReport Run()
    {
        using var durable = CheckState(committer.DurableSlot, mayBeAbsent: false);
        using var older = CheckState(1 - committer.DurableSlot, committer.IsOtherSlotUncertain);
        lock (state.Lock)
        {
            CheckProtected(durable, "the newest state");
            CheckProtected(older, "the older state");
            CheckMemory();
        }

        return new CheckReport(
            _violations, durable?.Records.Count ?? 0, durable?.Metadata.Count ?? 0, durable?.Shown.NonZero ?? 0);
    }

    /// <summary>Reads a whole state from disk.</summary>
    private TreeLoader? CheckState(int slot, bool mayBeAbsent)
    {
        Superblock? found;
        string reason;
        try
        {
            found = store.ReadSuperblock(slot, out reason);
        }
        catch (IOException error)
        {
            _violations.Add($"superblock {slot}: {error.Message}");
            return null;
        }

        if (found is null)
        {
            if (!mayBeAbsent)
            {
                _violations.Add($"superblock {slot}: {reason}");
            }

            return null;
        }

        if (slot == committer.DurableSlot && found != committer.Durable)
        {
            _violations.Add($"superblock {slot} is {found} on disk, and {committer.Durable} was written");
        }

        if (found.TotalBlocks != state.Space.TotalBlocks || found.Id != committer.Durable.Id)
        {
            _violations.Add($"superblock {slot} is of another volume: {found}");
            return null;
        }

        var loader = new TreeLoader(store, _shape, found, fault => _violations.Add($"generation {found.Generation}: {fault}"));
        try
        {
            loader.Load();
        }
        catch (IOException error)
        {
            _violations.Add($"generation {found.Generation} cannot be read: {error.Message}");
        }

        return loader;
    }

    /// <summary>No block that a state on disk needs is free or being written.</summary>
    private void CheckProtected(TreeLoader? loaded, string name)
    {
        if (loaded is null)
        {
            return;
        }

        var needed = loaded.Shown.Runs(Superblock.FirstByte / _shape.BlockSize, zero: false)
            .Concat(loaded.Metadata.Select(static block => new Run(block, 1)))
            .Order(Comparer<Run>.Create(static (a, b) => a.Start.CompareTo(b.Start)));
        var open = state.Space.FreeRuns.Concat(state.Space.PlacedRuns).OrderBy(static run => run.Start).ToList();
        var at = 0;
        foreach (var run in needed)
        {
            while (at < open.Count && open[at].End <= run.Start)
            {
                at++;
            }

            if (at < open.Count && open[at].Start < run.End)
            {
                _violations.Add($"{name} on disk needs {run}, but {open[at]} are free or being written");
            }
        }
    }

    /// <summary>References are what the files lead to, and every block is in one state.</summary>
    private void CheckMemory()
    {
        var references = new Dictionary<MetaBlock, int>(ReferenceEqualityComparer.Instance);
        var shown = new BlockCounts(state.Space.TotalBlocks);
        foreach (var file in state.LiveFiles)
        {
            Count(file.Tree.Root);
            if (file.Name is { } name && (!state.Names.TryGetValue(name, out var named) || named != file))
            {
                _violations.Add($"file {file} is not in the directory");
            }
        }

        CountTable(state.Table.Root);
        foreach (var (piece, count) in references)
        {
            if (piece.References != count)
            {
                _violations.Add($"a {piece.GetType().Name} has {piece.References} references, and {count} lead to it");
            }
        }

        CompareShown(shown);
        CheckPartition(references.Keys);

        void Count(MetaBlock? piece)
        {
            if (piece is null || !Note(piece))
            {
                return;
            }

            if (piece is LeafNode leaf)
            {
                Array.ForEach(Array.FindAll(leaf.Blocks, static block => block != 0), shown.Increment);
            }
            else
            {
                Array.ForEach(((InnerNode)piece).Children, Count);
            }
        }

        void CountTable(MetaBlock? piece)
        {
            if (piece is not null && Note(piece) && piece is InnerNode inner)
            {
                Array.ForEach(inner.Children, CountTable);
            }
        }

        bool Note(MetaBlock piece)
        {
            var count = references.GetValueOrDefault(piece);
            references[piece] = count + 1;
            return count == 0;
        }
    }

    private void CompareShown(BlockCounts shown)
    {
        var first = Superblock.FirstByte / _shape.BlockSize;
        foreach (var run in shown.Runs(first, zero: false).Concat(state.Space.ShownRuns).Distinct())
        {
            for (var block = run.Start; block < run.End; block++)
            {
                if (shown[block] != state.Space.References(block))
                {
                    _violations.Add($"block {block} has {state.Space.References(block)} references, and {shown[block]} slots show it");
                }
            }
        }
    }

    private void CheckPartition(IEnumerable<MetaBlock> pieces)
    {
        List<(Run Run, string State)> owned =
        [
            .. state.Space.FreeRuns.Select(static run => (run, "free")),
            .. state.Space.PlacedRuns.Select(static run => (run, "placed")),
            .. state.Space.ShownRuns.Select(static run => (run, "content")),
            .. state.Space.PendingRuns.Select(static run => (run, "pending")),
            .. pieces.Where(static piece => piece.Block != 0).Select(static piece => (new Run(piece.Block, 1), "metadata")),
        ];
        owned.Sort(static (a, b) => a.Run.Start.CompareTo(b.Run.Start));
        var (before, end) = ("superblocks", (long)(Superblock.FirstByte / _shape.BlockSize));
        foreach (var (run, name) in owned)
        {
            if (run.Start < end)
            {
                _violations.Add($"{run} are {name}, and {before} reach to block {end}");
            }
            else if (run.Start > end)
            {
                _violations.Add($"{new Run(end, run.Start - end)} are nobody's");
            }

            (before, end) = (name, Math.Max(end, run.End));
        }

        if (end != state.Space.TotalBlocks)
        {
            _violations.Add($"the blocks from {end} to {state.Space.TotalBlocks} are nobody's, or do not exist");
        }
    }
}
