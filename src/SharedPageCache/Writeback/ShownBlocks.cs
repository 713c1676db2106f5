using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Physical;
using SharedPageCache.Rmap;

namespace SharedPageCache.Writeback;

/// <summary>Finds out, as far as the cache can know, that an engine has placed pages over blocks that a file shows.</summary>
/// <remarks>
/// <para>
/// <b>Who shows a block</b>: an open file that can be written, at a page that is not dirty, if the page is resident in a frame of that very
/// block, or if it is not resident and the runs of the file's leaf say so and nothing has happened to the block since they were asked for.
/// Nothing may be written over such a block, in place neither: a page that is written in place is dirty for all who own it, so who shows the
/// block as a clean page is somebody else.
/// </para>
/// <para>
/// <b>No false alarm.</b> A truth that ends inside the cache (hole, length, deletion, range, publication) ends with the tree in one hold of the
/// binding lock; so what a look without the lock has found is looked for once more under it. A truth that the engine ends by itself
/// is discarded before the block is given out (the clock, and the frame's generation, know), or is told as a change of the extents: a file
/// whose sequence has moved and that was not told yet is not asked, and one that was told has forgotten the leaf. A file that cannot be written has only a view of the device and claims
/// nothing: the whole volume opened as one file is one. What the runs say of a dirty page is not believed (after a merge they may be
/// those of the branch). A run with another generation is another tenancy of the block. And the same extents opened twice are one file.
/// </para>
/// <para>
/// <b>What is not seen</b>: blocks of files that are closed, or of windows that nobody has used; the old blocks of dirty pages; a
/// block that was discarded after the leaf was made which shows it again, unless the page is resident; and what lies behind the bound on cost.
/// </para>
/// <para>
/// <b>Cost</b>: a look-up in the physical table for each page placed, and as many leaves of the regions of blocks as pages
/// were placed, and a few more. Outside all locks, if all is well.
/// </para>
/// </remarks>
internal sealed class ShownBlocks(FrameTable frames, PhysicalTable table, ReverseMap rmap, FamilyTable families, int pageShift)
{
    /// <summary>Leaves that are looked at for however few pages.</summary>
    private const int LeastLeaves = 64;

    /// <summary>A run that an engine has placed, and the places that it is for.</summary>
    /// <param name="Run">The run.</param>
    /// <param name="Owners">Who is going to show it, each at the page that goes to the run's first block.</param>
    public readonly record struct Placing(PlacedRun Run, RunOwner[] Owners);

    /// <summary>A place that shows a block.</summary>
    private readonly record struct Shown(FileMapping File, long Page, BlockRun Placed);

    /// <summary>What is wrong with an engine's answer that is right in every other respect; null if nothing is known to be.</summary>
    public string? FaultOf(VolumeMap volume, IEnumerable<Placing> answer)
    {
        Placing[] placed = [.. answer.OrderBy(static placing => placing.Run.Blocks.Offset)];
        if (placed.Length == 0 || Find(volume, placed) is null)
        {
            return null;
        }

        volume.Binding.Enter();
        try
        {
            return Find(volume, placed) is { } shown
                ? $"the placed run {shown.Placed} is not free: {shown.File.Name ?? shown.File.Id.ToString()} shows a block of it at {shown.Page << pageShift}, and is not what is written there."
                : null;
        }
        finally
        {
            volume.Binding.Exit();
        }
    }

    private Shown? Find(VolumeMap volume, Placing[] placed) => FindResident(volume, placed) ?? FindMapped(volume, placed);

    /// <summary>Somebody who shows a placed block by a frame that holds it.</summary>
    private Shown? FindResident(VolumeMap volume, Placing[] placed)
    {
        var leaves = new List<Leaf>();
        foreach (var placing in placed)
        {
            var (first, count) = (placing.Run.Blocks.Offset >> pageShift, placing.Run.Blocks.Length >> pageShift);
            for (var i = 0L; i < count; i++)
            {
                var identity = BlockIdentity.Of(volume.Number, first + i, placing.Run.Generation);
                if (table.Find(identity) is not (>= 0 and var frame))
                {
                    continue;
                }

                foreach (var place in PlacesOf(frame))
                {
                    leaves.Clear();
                    families.Find(place.Family)?.CopyLeavesTo(leaves);
                    foreach (var leaf in leaves)
                    {
                        if (!leaf.IsDead && ShowsFrame(leaf, place.Slot, frame, identity) && FileOf(volume, leaf, place.Slot, placing, i) is { } shown)
                        {
                            return shown;
                        }
                    }
                }
            }
        }

        return null;
    }

    private Place[] PlacesOf(int frame)
    {
        var places = new Place[rmap.Count(frame)];
        return places[..rmap.CopyTo(frame, places)];
    }

    /// <summary>Whether a slot shows a block by a frame: the identity between two looks at the state is this tenant's.</summary>
    private bool ShowsFrame(Leaf leaf, int slot, int frame, BlockIdentity identity)
    {
        var reference = leaf[slot];
        return reference.IsResident && reference.Frame == frame && Admits(reference) && frames.IdentityOf(frame) == identity && Admits(reference);
    }

    private bool Admits(PageReference reference) => frames[reference.Frame].State.Load().Admits(reference.Word);

    /// <summary>Somebody who shows a placed block by what the engine has said of it.</summary>
    private Shown? FindMapped(VolumeMap volume, Placing[] placed)
    {
        var left = LeastLeaves + (int)(placed.Sum(static placing => placing.Run.Blocks.Length) >> pageShift);
        var (ids, leaves) = (new List<int>(), new List<Leaf>());
        var next = 0L;
        foreach (var placing in placed)
        {
            var last = RegionClock.RegionOf(placing.Run.Blocks.End - 1 >> pageShift);
            for (var region = Math.Max(next, RegionClock.RegionOf(placing.Run.Blocks.Offset >> pageShift)); region <= last; region++)
            {
                ids.Clear();
                volume.Regions.CopyNewestTo(ids, region, left);
                foreach (var id in ids)
                {
                    leaves.Clear();
                    families.Find(id)?.CopyLeavesTo(leaves);
                    foreach (var leaf in leaves)
                    {
                        if (left-- <= 0)
                        {
                            return null;
                        }

                        if (!leaf.IsDead && FindIn(volume, leaf, placed) is { } shown)
                        {
                            return shown;
                        }
                    }
                }
            }

            next = Math.Max(next, last + 1);
        }

        return null;
    }

    private Shown? FindIn(VolumeMap volume, Leaf leaf, Placing[] placed)
    {
        foreach (var run in leaf.Runs)
        {
            if (run.IsOpaque)
            {
                continue;
            }

            for (var i = FirstBehind(placed, run.Physical); i < placed.Length && placed[i].Run.Blocks.Offset < run.Physical + run.Length; i++)
            {
                if (placed[i].Run.Generation == run.Generation && FindIn(volume, leaf, run, placed[i]) is { } shown)
                {
                    return shown;
                }
            }
        }

        return null;
    }

    /// <summary>A page of a leaf whose runs say that it lies in a placed run, if they are to be believed.</summary>
    private Shown? FindIn(VolumeMap volume, Leaf leaf, WindowRun run, Placing placing)
    {
        var blocks = placing.Run.Blocks;
        var from = run.Start + (int)(Math.Max(run.Physical, blocks.Offset) - run.Physical);
        var to = run.Start + (int)(Math.Min(run.Physical + run.Length, blocks.End) - run.Physical);
        for (int end; from < to; from = end)
        {
            var slot = from >> pageShift;
            end = Math.Min(to, slot + 1 << pageShift);
            var part = run.Clip(from, end);
            if (TellsByRuns(leaf, slot) && !volume.Clock.HasChangedSince(leaf.Age, part, pageShift)
                && FileOf(volume, leaf, slot, placing, part.Physical - blocks.Offset >> pageShift) is { } shown)
            {
                return shown;
            }
        }

        return null;
    }

    /// <summary>
    /// Whether the runs tell where a page lies: it is not resident, or in a frame without an identity. A dirty one they do not tell of,
    /// and a whole block says itself which it is (it may have been moved).
    /// </summary>
    private bool TellsByRuns(Leaf leaf, int slot)
    {
        var reference = leaf[slot];
        if (!reference.IsResident || !Admits(reference))
        {
            return !leaf.IsProvisional(slot);
        }

        var isComposite = frames[reference.Frame].State.Load().Phase == FramePhase.Clean && !frames.IdentityOf(reference.Frame).IsSome;
        return isComposite && Admits(reference) && !leaf.IsProvisional(slot);
    }

    /// <summary>A file that shows a page by a leaf, and is not one that the placed block is for.</summary>
    private Shown? FileOf(VolumeMap volume, Leaf leaf, int slot, Placing placing, long block)
    {
        foreach (var (clones, window) in leaf.Family.Adopters())
        {
            foreach (var file in clones.Members())
            {
                var page = (window << Window.Shift) + slot;
                if (file.Volume == volume && !file.IsClosed && file.IsWritable && file.Reaches(window, leaf) && page << pageShift < file.Tree.Length
                    && file.IsTold && !IsFor(placing, file, page - block))
                {
                    return new Shown(file, page, placing.Run.Blocks);
                }
            }
        }

        return null;
    }

    private bool IsFor(Placing placing, FileMapping file, long firstPage) =>
        Array.Exists(placing.Owners, owner => owner.File == file.Extents && owner.FileOffset == firstPage << pageShift);

    /// <summary>The first run that ends behind an address.</summary>
    private static int FirstBehind(Placing[] placed, long address)
    {
        var (low, high) = (0, placed.Length);
        while (low < high)
        {
            var middle = low + high >>> 1;
            (low, high) = placed[middle].Run.Blocks.End <= address ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}
