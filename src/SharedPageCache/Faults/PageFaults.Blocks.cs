using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <content>Blocks that may not be read now: somebody is writing them, or they were reported bad.</content>
internal sealed partial class PageFaults
{
    private enum BlockState
    {
        Readable,

        /// <summary>A write-back places it in place for somebody else, or the engine writes it: bounded by one device write.</summary>
        BeingWritten,

        Bad,
    }

    /// <summary>Whether the blocks of a page may be read.</summary>
    /// <param name="file">The file.</param>
    /// <param name="page">The page.</param>
    /// <param name="leaf">The leaf that maps it.</param>
    /// <param name="source">What the leaf says.</param>
    /// <param name="bad">The first run that is bad, if any is.</param>
    private static BlockState StateOf(FileMapping file, long page, Leaf leaf, PageSource source, out BlockRun bad)
    {
        bad = BlockRun.None;
        var volume = file.Volume;
        if (volume.Placed.IsEmpty && volume.Bad.IsEmpty)
        {
            return BlockState.Readable;
        }

        var state = BlockState.Readable;
        foreach (var run in BlocksOf(file, page, leaf, source))
        {
            if (volume.Bad.Overlaps(run))
            {
                bad = run;
                return BlockState.Bad;
            }

            state = volume.Placed.Overlaps(run) ? BlockState.BeingWritten : state;
        }

        return state;
    }

    private static PageLoadException BadBlockError(Request request, BlockRun bad) => new(
        request.File.Id, request.File.Name, request.Page << request.File.Volume.PageShift, bad,
        "the blocks were reported bad, and were neither repaired nor written anew since.");

    /// <summary>What is read for a page: its block, or the pieces that it is made of.</summary>
    private static BlockRun[] BlocksOf(FileMapping file, long page, Leaf leaf, PageSource source)
    {
        if (source.Kind == PageSourceKind.Block)
        {
            return [file.Volume.RunOf(source.Block)];
        }

        var start = Window.SlotOf(page) << file.Volume.PageShift;
        var pieces = new List<BlockRun>();
        foreach (var run in leaf.Runs)
        {
            if (run.End > start && run.Start < start + file.Volume.PageSize)
            {
                pieces.Add(run.Clip(start, start + file.Volume.PageSize).Blocks);
            }
        }

        return [.. pieces];
    }
}
