using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// From blocks to the files that show them: region -> families -> leaves (by their runs) -> clone families -> files,
/// verified downwards.
/// </summary>
/// <remarks>
/// Complete over what the cache has mapped: every open file whose tree has the window. Costs in proportion to the leaves
/// that map blocks of the regions and to the answers; needs no page to be resident. Streams: an answer is what was true
/// at the moment it was looked at.
/// </remarks>
internal sealed class ReverseQuery(Rooms rooms)
{
    /// <summary>One place that shows blocks.</summary>
    public readonly record struct Answer(FileMapping File, long Offset, BlockRun Blocks, bool IsResident);

    public IEnumerable<Answer> Find(VolumeMap volume, BlockRun run)
    {
        var first = RegionClock.RegionOf(run.Offset >> rooms.PageShift);
        var last = RegionClock.RegionOf(run.End - 1 >> rooms.PageShift);
        var leaves = new List<Leaf>();
        foreach (var id in volume.Regions.FamiliesOf(first, last))
        {
            if (rooms.Families.Find(id) is not { } family)
            {
                continue;
            }

            leaves.Clear();
            family.CopyLeavesTo(leaves);
            foreach (var leaf in leaves)
            {
                if (leaf.IsDead)
                {
                    continue;
                }

                var pieces = PiecesOf(leaf, run);
                if (pieces.Count == 0)
                {
                    continue;
                }

                foreach (var (file, window) in FilesOf(volume, leaf))
                {
                    var start = window << rooms.PageShift + Window.Shift;
                    foreach (var (inWindow, blocks) in pieces)
                    {
                        foreach (var answer in PagesOf(file, leaf, start, inWindow, blocks))
                        {
                            yield return answer;
                        }
                    }
                }
            }
        }
    }

    private static List<(int InWindow, BlockRun Blocks)> PiecesOf(Leaf leaf, BlockRun run)
    {
        var pieces = new List<(int, BlockRun)>();
        foreach (var piece in leaf.Runs)
        {
            if (piece.Blocks.Overlaps(run))
            {
                var from = Math.Max(piece.Physical, run.Offset);
                var to = Math.Min(piece.Physical + piece.Length, run.End);
                pieces.Add((piece.Start + (int)(from - piece.Physical), new BlockRun(from, to - from)));
            }
        }

        return pieces;
    }

    /// <summary>The files that reach a leaf now, each place once.</summary>
    private static IEnumerable<(FileMapping File, long Window)> FilesOf(VolumeMap volume, Leaf leaf)
    {
        var seen = new HashSet<(FileMapping, long)>();
        foreach (var (files, window) in leaf.Family.Adopters())
        {
            foreach (var file in files.Members())
            {
                if (file.Volume == volume && !file.IsClosed && file.Reaches(window, leaf) && seen.Add((file, window)))
                {
                    yield return (file, window);
                }
            }
        }
    }

    /// <summary>An answer for each page that the blocks touch.</summary>
    private IEnumerable<Answer> PagesOf(FileMapping file, Leaf leaf, long windowStart, int inWindow, BlockRun blocks)
    {
        var position = inWindow;
        var end = inWindow + (int)blocks.Length;
        var length = file.Tree.Length;
        while (position < end && windowStart + position < length)
        {
            var pageEnd = ((position >> rooms.PageShift) + 1) << rooms.PageShift;
            var count = Math.Min(end, pageEnd) - position;
            var reference = leaf[position >> rooms.PageShift];
            var resident = reference.IsResident && rooms.Frames[reference.Frame].State.Load().Admits(reference.Word);
            yield return new Answer(
                file, windowStart + position, new BlockRun(blocks.Offset + (position - inWindow), count), resident);
            position += count;
        }
    }
}
