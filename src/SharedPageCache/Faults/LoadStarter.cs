using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// Builds loads: takes frames, makes them findable, and gathers neighbouring blocks into one device read.
/// </summary>
/// <remarks>
/// <para>
/// The order is: owned and free -> pinned -> identity -> inserted in the physical table (or listed as composite) ->
/// registered as a load -> loading. So a frame in phase loading is in the table and has a load to wait for; who finds it
/// earlier sees a free frame and looks again. A discard may take a loading frame out of the table, never one that an
/// attempt may still give back.
/// </para>
/// <para>
/// A discard advances the regions' clock (full fence) and then looks at the frame; the loader enters the phase loading
/// (full fence) and then looks at the clock. Of the two at least one sees the other: either the discard ends the tenancy
/// or the load is called off.
/// </para>
/// <para>
/// The loads of one volume hold at most half of the frames that are in service (but two at least): a device that hangs leaves the other half
/// to the other volumes, and who reads from it waits for it in the reserve (<see cref="ReserveFrames"/>).
/// </para>
/// </remarks>
internal sealed class LoadStarter(Rooms rooms, LoadTable loads)
{
    /// <summary>Pages in one device read: 256 KiB of 4 KiB pages, and never more than an eighth of the frames.</summary>
    private readonly int _mostPages = Math.Clamp(rooms.Plan.FrameCount / 8, 1, Math.Max(1, (256 << 10) / rooms.PageSize));

    private readonly FrameTable _frames = rooms.Frames;

    /// <summary>How the start of a load ended.</summary>
    public enum Outcome
    {
        /// <summary>The load is ready to run; the first frame is pinned once more, for the caller.</summary>
        Started,

        /// <summary>Somebody else was faster: look again.</summary>
        Lost,

        /// <summary>No frame was to be had.</summary>
        NoFrame,
    }

    /// <summary>Starts the load of a page that has a block, and of as many neighbours as are wanted and fit.</summary>
    public Outcome TryStart(FileMapping file, long page, LeafFinder.Found found, PageSource source, int wanted, LoadManner manner, out LoadOperation? load)
    {
        load = new LoadOperation(file, found.Leaf, found.Cookie, page) { Manner = manner };
        var outcome = TryAddFrame(file, load, BlockIdentity.Of(file.Volume.Number, source.Block, source.Generation), pin: 2);
        if (outcome != Outcome.Started)
        {
            load = null;
            return outcome;
        }

        var leaf = found.Leaf;
        var slot = Window.SlotOf(page);
        var most = Math.Min(Math.Min(wanted, _mostPages), leaf.Slots.Length - slot);
        for (var i = 1; i < most; i++)
        {
            if (leaf[slot + i].IsResident)
            {
                break;
            }

            // Not a neighbour that was discarded since the leaf was made, or is bad: it would have the whole load called off, for ever.
            var next = leaf.Resolve(slot + i, rooms.PageShift);
            if (next.Kind != PageSourceKind.Block || next.Block != source.Block + i
                || !LeafFinder.IsYoungEnough(file.Volume, leaf, slot + i) || !file.Volume.MayRead(file.Volume.RunOf(next.Block)))
            {
                break;
            }

            var identity = BlockIdentity.Of(file.Volume.Number, next.Block, next.Generation);
            if (rooms.Table.Find(identity) >= 0 || TryAddFrame(file, load, identity, pin: 1) != Outcome.Started)
            {
                break;
            }
        }

        return Outcome.Started;
    }

    /// <summary>Starts the load of a page that is made of several runs.</summary>
    public Outcome TryStartComposite(FileMapping file, long page, LeafFinder.Found found, LoadManner manner, out LoadOperation? load)
    {
        var slot = Window.SlotOf(page);
        var start = slot << rooms.PageShift;
        var pieces = new List<WindowRun>();
        foreach (var run in found.Leaf.Runs)
        {
            if (run.End > start && run.Start < start + rooms.PageSize)
            {
                pieces.Add(run.Clip(start, start + rooms.PageSize));
            }
        }

        load = null;
        if (!TryTakePinned(file, pin: 2, out var frame, out var generation))
        {
            return Outcome.NoFrame;
        }

        var fresh = new LoadOperation(file, found.Leaf, found.Cookie, page) { Pieces = [.. pieces], Manner = manner };
        fresh.Frames.Add(new LoadOperation.LoadedFrame(frame, generation, default));
        if (loads.FindOrAdd(found.Leaf, slot, fresh) is not null)
        {
            GiveBack(file, frame, pins: 2);
            return Outcome.Lost;
        }

        file.Volume.Composites.Add(frame, generation, fresh.Pieces);
        _frames[frame].State.BeginLoading();
        load = fresh;
        return Outcome.Started;
    }

    private Outcome TryAddFrame(FileMapping file, LoadOperation load, BlockIdentity identity, int pin)
    {
        if (!TryTakePinned(file, pin, out var frame, out var generation))
        {
            // The frames may be taken by who loads this very block.
            return rooms.Table.Find(identity) >= 0 ? Outcome.Lost : Outcome.NoFrame;
        }

        _frames.SetIdentity(frame, identity);
        if (rooms.Table.TryInsert(frame, identity) >= 0)
        {
            GiveBack(file, frame, pin);
            return Outcome.Lost;
        }

        loads.Add(frame, load);
        load.Frames.Add(new LoadOperation.LoadedFrame(frame, generation, identity));
        _frames[frame].State.BeginLoading();
        return Outcome.Started;
    }

    private bool TryTakePinned(FileMapping file, int pin, out int frame, out int generation)
    {
        (frame, generation) = (-1, 0);
        var inService = rooms.Plan.FrameCount - rooms.Plan.Reserve - rooms.Pool.WithheldCount;
        if (!file.Volume.TryAddLoading(most: Math.Max(2, inService / 2)))
        {
            return false;
        }

        if (!rooms.Supply.TryTake(file.Account.Owner, out frame))
        {
            file.Volume.RemoveLoading(1);
            return false;
        }

        generation = _frames[frame].State.Load().Generation;
        for (var i = 0; i < pin; i++)
        {
            _frames.Pin(frame);
        }

        return true;
    }

    /// <summary>A frame that nobody could find goes back: its tenancy never began, so its generation stays.</summary>
    private void GiveBack(FileMapping file, int frame, int pins)
    {
        file.Volume.RemoveLoading(1);
        _frames.SetIdentity(frame, default);
        for (var i = 0; i < pins; i++)
        {
            _frames.Unpin(frame);
        }

        rooms.Pool.Push(frame);
    }
}
