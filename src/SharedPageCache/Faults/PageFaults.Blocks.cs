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

    private static BlockState StateOf(FileMapping file, long page, Leaf leaf, PageSource source)
    {
        var volume = file.Volume;
        if (volume.Placed.IsEmpty && volume.Bad.IsEmpty)
        {
            return BlockState.Readable;
        }

        var blocks = BlocksOf(file, page, leaf, source);
        return Array.Exists(blocks, volume.Bad.Overlaps) ? BlockState.Bad
            : Array.Exists(blocks, volume.Placed.Overlaps) ? BlockState.BeingWritten
            : BlockState.Readable;
    }

    private static PageLoadException BadBlockError(Request request, Leaf leaf, PageSource source)
    {
        var (file, page) = (request.File, request.Page);
        var bad = Array.Find(BlocksOf(file, page, leaf, source), file.Volume.Bad.Overlaps);
        return new PageLoadException(
            file.Id, file.Name, page << file.Volume.PageShift, bad.Length > 0 ? bad : BlockRun.None,
            "the blocks were reported bad, and were neither repaired nor written anew since.");
    }

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
