using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Faults;

/// <summary>
/// From blocks to the files that show them: region -> families -> leaves (by their runs) -> clone families -> files,
/// verified downwards.
/// </summary>
/// <remarks>
/// <para>
/// Complete over what the cache has mapped and still trusts: every open file whose tree has the window. Costs in
/// proportion to the leaves that map blocks of the regions and to the answers; needs no page to be resident. Streams: an
/// answer is what was true at the moment it was looked at.
/// </para>
/// <para>
/// <b>What a leaf says may be old</b>, because blocks are relocated and discarded without any leaf being touched. A page
/// that is resident is where its <em>frame</em> says: a relocation gives the frame its new block, a discard ends it. A page
/// that is not is answered by the leaf's runs as long as nothing has happened to those blocks since they were asked for;
/// after that the place is left out, as it is for a fault, until the engine has been asked again: the query asks nobody.
/// </para>
/// <para>
/// Pages whose frames were relocated into the run are not found by its regions, but by those frames' own records.
/// </para>
/// </remarks>
internal sealed class ReverseQuery(Rooms rooms)
{
    private readonly FrameTable _frames = rooms.Frames;

    /// <summary>One place that shows blocks.</summary>
    public readonly record struct Answer(FileMapping File, long Offset, BlockRun Blocks, bool IsResident);

    public IEnumerable<Answer> Find(VolumeMap volume, BlockRun run)
    {
        foreach (var leaf in LeavesOf(volume, run))
        {
            var pages = PagesOf(volume, leaf, run);
            foreach (var answer in AnswersOf(volume, leaf, pages))
            {
                yield return answer;
            }
        }

        if (volume.HasMoved)
        {
            foreach (var (leaf, page) in MovedPagesOf(volume, run))
            {
                foreach (var answer in AnswersOf(volume, leaf, [page]))
                {
                    yield return answer;
                }
            }
        }
    }

    /// <summary>The leaves whose runs lie in the regions of a run.</summary>
    private IEnumerable<Leaf> LeavesOf(VolumeMap volume, BlockRun run)
    {
        var first = RegionClock.RegionOf(run.Offset >> rooms.PageShift);
        var last = RegionClock.RegionOf(run.End - 1 >> rooms.PageShift);
        var leaves = new List<Leaf>();
        foreach (var id in volume.Regions.FamiliesOf(first, last))
        {
            leaves.Clear();
            rooms.Families.Find(id)?.CopyLeavesTo(leaves);
            foreach (var leaf in leaves)
            {
                if (!leaf.IsDead)
                {
                    yield return leaf;
                }
            }
        }
    }

    /// <summary>The pages of a leaf that show a part of a run: where in the window, which blocks, and whether resident.</summary>
    private List<PagePart> PagesOf(VolumeMap volume, Leaf leaf, BlockRun run)
    {
        var pages = new List<PagePart>();
        foreach (var piece in leaf.Runs)
        {
            if (!piece.Blocks.Overlaps(run))
            {
                continue;
            }

            var from = piece.Start + (int)(Math.Max(piece.Physical, run.Offset) - piece.Physical);
            var to = piece.Start + (int)(Math.Min(piece.Physical + piece.Length, run.End) - piece.Physical);
            for (int next; from < to; from = next)
            {
                var slot = from >> rooms.PageShift;
                next = Math.Min(to, slot + 1 << rooms.PageShift);
                if (FrameOf(leaf, slot, out var identity) < 0)
                {
                    var part = piece.Clip(from, next);
                    if (!volume.Clock.HasChangedSince(leaf.Age, part, rooms.PageShift))
                    {
                        pages.Add(new PagePart(from, part.Blocks, IsResident: false));
                    }
                }
                else if (!identity.IsSome)
                {
                    // Made of several runs: it falls with any of them.
                    pages.Add(new PagePart(from, piece.Clip(from, next).Blocks, IsResident: true));
                }
                else if (TryPlace(slot, identity, run, out var page))
                {
                    pages.Add(page);
                }
            }
        }

        return pages;
    }

    /// <summary>The pages whose frames show a part of a run although their leaves' runs say otherwise.</summary>
    private IEnumerable<(Leaf Leaf, PagePart Page)> MovedPagesOf(VolumeMap volume, BlockRun run)
    {
        var leaves = new List<Leaf>();
        foreach (var frame in FramesOf(volume, run))
        {
            foreach (var place in PlacesOf(frame))
            {
                leaves.Clear();
                rooms.Families.Find(place.Family)?.CopyLeavesTo(leaves);
                foreach (var leaf in leaves)
                {
                    if (!leaf.IsDead && place.Slot < leaf.Slots.Length && FrameOf(leaf, place.Slot, out var identity) == frame
                        && identity.IsSome && identity.Volume == volume.Number
                        && leaf.ResolveByRuns(place.Slot, rooms.PageShift) is { Kind: PageSourceKind.Block } source
                        && !BlocksOf(source.Block).Overlaps(run)
                        && TryPlace(place.Slot, identity, run, out var page))
                    {
                        yield return (leaf, page);
                    }
                }
            }
        }
    }

    /// <summary>An answer for each file that reaches a leaf now, each place once.</summary>
    private IEnumerable<Answer> AnswersOf(VolumeMap volume, Leaf leaf, IReadOnlyList<PagePart> pages)
    {
        if (pages.Count == 0)
        {
            yield break;
        }

        var seen = new HashSet<(FileMapping, long)>();
        foreach (var (files, window) in leaf.Family.Adopters())
        {
            foreach (var file in files.Members())
            {
                if (file.Volume != volume || file.IsClosed || !file.Reaches(window, leaf) || !seen.Add((file, window)))
                {
                    continue;
                }

                var start = window << rooms.PageShift + Window.Shift;
                foreach (var (inWindow, blocks, isResident) in pages)
                {
                    if (start + inWindow < file.Tree.Length)
                    {
                        yield return new Answer(file, start + inWindow, blocks, isResident);
                    }
                }
            }
        }
    }

    /// <summary>The frame that a slot shows now, and its block; negative if the page is not resident.</summary>
    private int FrameOf(Leaf leaf, int slot, out BlockIdentity identity)
    {
        identity = default;
        var reference = leaf[slot];
        if (!reference.IsResident)
        {
            return -1;
        }

        // The identity between two looks at the state: it is this tenant's.
        ref var header = ref _frames[reference.Frame];
        if (!header.State.Load().Admits(reference.Word))
        {
            return -1;
        }

        identity = _frames.IdentityOf(reference.Frame);
        return header.State.Load().Admits(reference.Word) ? reference.Frame : -1;
    }

    /// <summary>The part of a run that a page shows whose frame holds a whole block.</summary>
    private bool TryPlace(int slot, BlockIdentity identity, BlockRun run, out PagePart page)
    {
        var block = BlocksOf(identity.Block);
        var from = Math.Max(block.Offset, run.Offset);
        page = new PagePart(
            (slot << rooms.PageShift) + (int)(from - block.Offset), new BlockRun(from, Math.Min(block.End, run.End) - from), IsResident: true);
        return block.Overlaps(run);
    }

    private BlockRun BlocksOf(long block) => new(block << rooms.PageShift, rooms.PageSize);

    /// <summary>The frames that hold blocks of a run.</summary>
    private IEnumerable<int> FramesOf(VolumeMap volume, BlockRun run)
    {
        var first = run.Offset >> rooms.PageShift;
        var last = Math.Min(run.End - 1 >> rooms.PageShift, BlockIdentity.MaxBlock);
        if (last - first < _frames.Count)
        {
            var found = new List<int>();
            for (var block = first; block <= last; block++)
            {
                found.Clear();
                rooms.Table.FindAllGenerations(BlockIdentity.Of(volume.Number, block, 0), found);
                foreach (var frame in found)
                {
                    yield return frame;
                }
            }

            yield break;
        }

        for (var frame = 0; frame < _frames.Count; frame++)
        {
            var identity = _frames.IdentityOf(frame);
            if (identity.IsSome && identity.Volume == volume.Number && identity.Block >= first && identity.Block <= last)
            {
                yield return frame;
            }
        }
    }

    private Place[] PlacesOf(int frame)
    {
        var places = new Place[rooms.Rmap.Count(frame)];
        return places[..rooms.Rmap.CopyTo(frame, places)];
    }

    /// <summary>What one page shows of a run.</summary>
    private readonly record struct PagePart(int InWindow, BlockRun Blocks, bool IsResident);
}
