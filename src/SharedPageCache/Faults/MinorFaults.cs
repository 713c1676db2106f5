using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// Faults that need no I/O and no engine: the page is in a frame already, brought in by this file's other handle, by a
/// clone, or by a stranger over the same block.
/// </summary>
/// <remarks>
/// <para>
/// <b>Order</b>: leaf (young enough) -> table look-up -> pin -> identity again -> age and tree again -> record ->
/// reference. The pin is a full fence. Age is looked at again after it, because the block may have been discarded, given
/// out and loaded for somebody else between the first look and the look-up; and whether the volume is still attached,
/// because its number may belong to another by now, whose frames appear only after the volume was detached.
/// </para>
/// <para>
/// <b>True for the file</b> is what its tree shows: the file still reaches the leaf (acquire loads after the pin's fence) and
/// the leaf is young enough for the page. The engine's sequence is not asked for here, as a hit does not ask for it: an
/// engine that never stands still would have every fault begin again. What a leaf maps never changes, and a file that left
/// a leaf comes back to it only with an answer of the same runs. (A leaf with opaque runs is in no index: who left it never
/// comes back.) Opaque bytes alone, which no leaf can name, are believed only under an unmoved sequence.
/// </para>
/// </remarks>
internal sealed class MinorFaults(Rooms rooms, PageInstaller installer, LoadTable loads)
{
    /// <summary>One brings the bucket, the next the first header, the last the second one or the page.</summary>
    private const int LookUpsAhead = 3;

    private readonly FrameTable _frames = rooms.Frames;

    /// <summary>How an attempt to find the page in memory ended.</summary>
    public enum Outcome
    {
        /// <summary>The page is held, or reads zero.</summary>
        Held,

        /// <summary>The engine must be asked, or the device read.</summary>
        NotInMemory,

        /// <summary>Another thread is in the middle of a short step with the frame: try again.</summary>
        Busy,

        /// <summary>The page is being loaded; its frame is pinned for the caller, who waits for the load.</summary>
        Loading,
    }

    /// <summary>What was found.</summary>
    public readonly record struct Result(Outcome Outcome, PageHold Hold = default, LoadOperation? Load = null, int Generation = 0);

    /// <summary>Looks for a page in memory.</summary>
    public Result Find(FileMapping file, long page)
    {
        if (page << rooms.PageShift >= file.Tree.Length)
        {
            // Truncated under a read that began before.
            return new Result(Outcome.Held, PageHold.Zero);
        }

        if (!LeafFinder.TryFind(file, page, out var found))
        {
            return new Result(Outcome.NotInMemory);
        }

        var leaf = found.Leaf;
        var slot = Window.SlotOf(page);
        var reference = leaf[slot];
        if (reference.IsResident)
        {
            if (TryPin(reference, out var hold))
            {
                if (IsStillTrue(file, page, found))
                {
                    rooms.Reader.TouchFirst(file, page, leaf);
                    return new Result(Outcome.Held, hold);
                }

                Unpin(reference.Frame);
                return new Result(Outcome.Busy);
            }

            if (leaf.IsProvisional(slot))
            {
                // A writer is in the middle of a copy, or the page has just moved to another frame.
                return new Result(Outcome.Busy);
            }

            Repair(leaf, slot, reference);
        }

        var source = leaf.Resolve(slot, rooms.PageShift);
        return source.Kind switch
        {
            PageSourceKind.Zero => new Result(Outcome.Held, PageHold.Zero),
            PageSourceKind.Block => FindBlock(file, page, found, source),
            _ => FindComposite(leaf, slot),
        };
    }

    /// <summary>
    /// After a wait for a load: whether the pinned frame now holds the page and the page is still this file's truth.
    /// </summary>
    public bool TryUseLoaded(FileMapping file, long page, LoadOperation load, int frame, int generation)
    {
        var state = _frames[frame].State.Load();
        if (!state.IsReadable || state.Generation != generation)
        {
            return false;
        }

        if (!LeafFinder.TryFind(file, page, out var found) || !MapsTo(found.Leaf, file, page, load, frame, generation))
        {
            return false;
        }

        if (!load.IsOpaque)
        {
            installer.Install(file, page, found.Leaf, frame, generation);
        }

        if (!IsStillTrue(file, page, found))
        {
            return false;
        }

        TouchLoaded(file, page, found.Leaf, frame);
        return true;
    }

    /// <summary>A pin of the exact tenancy that a reference names.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPin(PageReference reference, out PageHold hold)
    {
        ref var header = ref _frames.Headers[reference.Frame];
        Atomic.Increment(ref header.Pins);
        var state = header.State.Load();
        if (state.Generation == reference.Generation && state.IsReadable)
        {
            hold = new PageHold(PageHoldKind.Pinned, reference.Frame);
            return true;
        }

        Unpin(reference.Frame);
        hold = default;
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Unpin(int frame)
    {
        if (_frames.Unpin(frame))
        {
            rooms.Pool.Return(frame);
        }
    }

    private Result FindBlock(FileMapping file, long page, LeafFinder.Found found, PageSource source)
    {
        var identity = BlockIdentity.Of(file.Volume.Number, source.Block, source.Generation);
        var frame = rooms.Table.Find(identity);
        if (frame < 0)
        {
            return new Result(Outcome.NotInMemory);
        }

        PrefetchFollowing(identity, found.Leaf, Window.SlotOf(page));
        _frames.Pin(frame);
        var state = _frames[frame].State.Load();
        if (_frames.IdentityOf(frame) == identity && IsStillTrue(file, page, found))
        {
            if (state.IsReadable)
            {
                installer.Install(file, page, found.Leaf, frame, state.Generation);
                TouchLoaded(file, page, found.Leaf, frame);
                rooms.Counters.MinorFaults.Increment();
                return new Result(Outcome.Held, new PageHold(PageHoldKind.Pinned, frame));
            }

            if (state.Phase == FramePhase.Loading && loads.Find(frame) is { } load)
            {
                return new Result(Outcome.Loading, new PageHold(PageHoldKind.Pinned, frame), load, state.Generation);
            }
        }

        Unpin(frame);
        return new Result(Outcome.Busy);
    }

    /// <summary>
    /// Most of a minor fault is waiting for memory: the bucket, the headers on its chain, the page, each of which leads to the next. Who faults one page
    /// faults the next one, as a rule. So the look-ups of the pages behind are begun here, each fault bringing each of them one step further. Slots are
    /// read plainly: a hint.
    /// </summary>
    private void PrefetchFollowing(BlockIdentity identity, Leaf leaf, int slot)
    {
        var slots = leaf.Slots;
        if (identity.Generation != 0 || slot + LookUpsAhead >= slots.Length)
        {
            return;
        }

        for (var ahead = 1; ahead <= LookUpsAhead; ahead++)
        {
            var reference = new PageReference(slots[slot + ahead]);
            if (reference.Kind == ReferenceKind.OnDevice
                && rooms.Table.Prefetch(BlockIdentity.Of(identity.Volume, reference.Block, 0), LookUpsAhead - ahead) is var frame and >= 0)
            {
                rooms.Arena.Prefetch(frame);
            }
        }
    }

    private Result FindComposite(Leaf leaf, int slot)
    {
        if (loads.Find(leaf, slot) is not { } load || load.Frames.Count == 0)
        {
            return new Result(Outcome.NotInMemory);
        }

        var loaded = load.Frames[0];
        _frames.Pin(loaded.Frame);
        var state = _frames[loaded.Frame].State.Load();
        if (state.Generation == loaded.Generation && state.Phase is FramePhase.Loading or FramePhase.Clean)
        {
            return new Result(Outcome.Loading, new PageHold(PageHoldKind.Pinned, loaded.Frame), load, loaded.Generation);
        }

        Unpin(loaded.Frame);
        return new Result(Outcome.Busy);
    }

    /// <summary>Whether a file's leaf maps a page to the very content of a frame that a load has filled.</summary>
    private bool MapsTo(Leaf leaf, FileMapping file, long page, LoadOperation load, int frame, int generation)
    {
        var slot = Window.SlotOf(page);
        if (leaf[slot] == PageReference.Resident(frame, generation))
        {
            return true;
        }

        if (load.Pieces is not null)
        {
            // No identity tells, but the leaf does. Opaque bytes that are in no slot are at most those of the file they came
            // through, and not even that if its truth moved on while they were read.
            return leaf == load.Leaf && (!load.IsOpaque || (file == load.File && file.Holds(load.Cookie)));
        }

        var source = leaf.Resolve(slot, rooms.PageShift);
        var identity = _frames.IdentityOf(frame);
        return source.Kind == PageSourceKind.Block
            && identity.IsSome
            && identity.Block == source.Block
            && identity.Generation == source.Generation;
    }

    private static bool IsStillTrue(FileMapping file, long page, LeafFinder.Found found) =>
        LeafFinder.IsYoungEnough(file.Volume, found.Leaf, Window.SlotOf(page)) && file.Reaches(Window.Of(page), found.Leaf)
        && !file.Volume.IsDetached;

    private void TouchLoaded(FileMapping file, long page, Leaf leaf, int frame)
    {
        file.Touch(page, leaf);
        rooms.TouchedFrames.Set(frame);
        rooms.Supply.BalanceIfMoved();
    }

    /// <summary>A reference of an old generation becomes what the runs say.</summary>
    private void Repair(Leaf leaf, int slot, PageReference stale)
    {
        leaf.Lock.Enter();
        leaf.TurnBack(slot, stale, rooms.PageShift, rooms.Ledger);
        leaf.Lock.Exit();
    }
}
