using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Physical;
using SharedPageCache.Rmap;

namespace SharedPageCache.Diagnostics;

/// <summary>
/// The self-check: walks everything and compares. May run while the cache is used; what changes under it is looked at
/// again before it is called broken, and counts are compared only if nothing has changed meanwhile.
/// </summary>
/// <remarks>
/// Checked: every reference of a current generation names a readable frame whose identity is the block that the leaf's
/// runs give for the page, and has its place in the reverse map (forward = reverse); every frame with an identity is
/// found under it, and only it (one copy); every frame is in exactly one phase, and those of all frames add up; counts of
/// leaves, residents and touches are what a recount gives; pins are not negative, and zero on free frames at rest. In checked
/// mode also: frozen pages have their checksums, free frames their poison, and nothing was found overwritten before.
/// </remarks>
internal sealed class Verifier(
    FrameTable frames,
    PhysicalTable table,
    ReverseMap rmap,
    FamilyTable families,
    VolumeList volumes,
    NodeLedger ledger,
    FrameBits touchedFrames,
    int pageShift,
    Func<int> idleFrames,
    Func<long> activity,
    CheckedMode? checks)
{
    private const int Retries = 100;

    /// <summary>A thread may be kept from its next step for long on a busy machine.</summary>
    private const int PatienceMilliseconds = 500;

    /// <summary>All broken invariants, in words; empty if none.</summary>
    public List<string> Run()
    {
        List<string> violations = [.. checks?.Reports.Corruption() ?? []];
        CheckFrames(violations);
        CheckTrees(violations);
        CheckCounts(violations);
        return violations;
    }

    private void CheckFrames(List<string> violations)
    {
        for (var frame = 0; frame < frames.Count; frame++)
        {
            var index = frame;
            Expect(violations, () => FaultOfFrame(index));
        }
    }

    private string? FaultOfFrame(int frame)
    {
        ref var header = ref frames[frame];
        var state = header.State.Load();
        var identity = frames.IdentityOf(frame);
        if (header.PinsAcquire < 0)
        {
            return $"frame {frame} has {header.PinsAcquire} pins";
        }

        if (checks?.Guard.FaultAtAnyTime(frame) is { } fault)
        {
            return fault;
        }

        switch (state.Phase)
        {
            case FramePhase.Clean when identity.IsSome && table.Find(identity) is var found && found != frame:
                return $"frame {frame} ({state}) holds {identity}, but the physical table finds {found}";
            case FramePhase.Clean when !identity.IsSome && !volumes.All().Any(volume => volume.Composites.Contains(frame)):
                return $"frame {frame} ({state}) has no block and is no listed composite";
            case FramePhase.Dirty or FramePhase.Writeback when identity.IsSome:
                return $"frame {frame} ({state}) is dirty and has the identity {identity}";
            case FramePhase.Dirty or FramePhase.Writeback when !IsListedAsDirty(frame, state.Generation):
                return $"frame {frame} ({state}) is dirty, and no volume knows it";
            case FramePhase.Free when identity.IsSome:
                return $"free frame {frame} still has the identity {identity}";
            case FramePhase.Free when rmap.Count(frame) != 0:
                return $"free frame {frame} still has {rmap.Count(frame)} places";
            default:
                return null;
        }
    }

    private bool IsListedAsDirty(int frame, int generation) => volumes.All().Any(
        volume => volume.Dirty.TryGet(frame, out var entry) && entry.Generation == generation);

    private void CheckTrees(List<string> violations)
    {
        foreach (var leaf in families.AllLeaves())
        {
            for (var slot = 0; slot < leaf.Slots.Length; slot++)
            {
                if (leaf[slot].IsResident)
                {
                    var index = slot;
                    Expect(violations, () => FaultOfSlot(leaf, index));
                }
            }
        }
    }

    private string? FaultOfSlot(Leaf leaf, int slot)
    {
        var reference = leaf[slot];
        if (!reference.IsResident)
        {
            return null;
        }

        var state = frames[reference.Frame].State.Load();
        var isDirty = state.Phase is FramePhase.Dirty or FramePhase.Writeback;
        var isFault = leaf.IsProvisional(slot) ? state.Generation != reference.Generation || !isDirty : state.Generation == reference.Generation && isDirty;
        if (isFault && IsReached(leaf))
        {
            return $"slot {slot} of {leaf} shows {reference} as {(leaf.IsProvisional(slot) ? "dirty" : "clean")}, but the frame is {state}";
        }

        if (state.Generation != reference.Generation)
        {
            return null;
        }

        if (!state.IsReadable && state.Phase != FramePhase.Claimed && !state.IsExclusive)
        {
            return $"slot {slot} of {leaf} shows {reference}, which is {state}";
        }

        if (!rmap.Contains(reference.Frame, new Place(leaf.Family.Id, slot)))
        {
            return $"slot {slot} of {leaf} shows {reference}, which has no record of family {leaf.Family.Id} slot {slot}";
        }

        var identity = frames.IdentityOf(reference.Frame);
        var volume = identity.IsSome ? volumes.Find(identity.Volume) : null;
        var source = ResolveByRuns(leaf, slot);
        if (volume is not null && !isDirty && source is { } block && block.Block != identity.Block
            && !volume.Clock.HasChangedSince(leaf.Age, block.Block) && IsReached(leaf))
        {
            return $"slot {slot} of {leaf} shows {reference} with {identity}, but its runs say block {block.Block}";
        }

        return null;
    }

    /// <summary>
    /// Whether a file shows the leaf. One that nobody shows is garbage: what was written back since does not concern it.
    /// </summary>
    private static bool IsReached(Leaf leaf) => leaf.Family.Adopters().Any(
        adopter => adopter.Files.Members().Any(
            file => !file.Volume.IsDetached && file.Reaches(adopter.Window, leaf)));

    private PageSource? ResolveByRuns(Leaf leaf, int slot)
    {
        var start = slot << pageShift;
        foreach (var run in leaf.Runs)
        {
            if (run.Start <= start && run.End >= start + (1 << pageShift) && !run.IsOpaque)
            {
                return new PageSource(PageSourceKind.Block, run.Physical + (start - run.Start) >> pageShift, run.Generation);
            }
        }

        return null;
    }

    /// <summary>Counts can only be compared while nothing happens; a busy cache is checked frame by frame above.</summary>
    private void CheckCounts(List<string> violations)
    {
        // Nothing may have happened from the first look to the last: else each look may have caught another thread in a step.
        var before = activity();
        Expect(violations, () =>
        {
            var fault = FaultOfCounts();
            return activity() == before ? fault : null;
        });
    }

    private string? FaultOfCounts()
    {
        var phases = new int[8];
        for (var frame = 0; frame < frames.Count; frame++)
        {
            phases[(int)frames[frame].State.Load().Phase]++;
            if (FaultAtRest(frame) is { } fault)
            {
                return fault;
            }
        }

        var idle = idleFrames();
        if (phases[(int)FramePhase.Free] != idle)
        {
            return $"{phases[(int)FramePhase.Free]} frames are free, but {idle} are listed, quarantined, withheld, staged or in reserve";
        }

        var dirty = phases[(int)FramePhase.Dirty] + phases[(int)FramePhase.Writeback];
        var known = volumes.All().Sum(static volume => volume.Dirty.Count);
        if (dirty != known)
        {
            return $"{dirty} frames are dirty, but volumes know {known}";
        }

        var listed = table.ForEach(static _ => { });
        var named = Enumerable.Range(0, frames.Count).Count(
            frame => frames.IdentityOf(frame).IsSome && frames[frame].State.Load().Phase != FramePhase.Detached);
        if (listed != named)
        {
            return $"{listed} frames are in the physical table, but {named} frames hold a block";
        }

        var touched = Enumerable.Range(0, frames.Count).LongCount(touchedFrames.IsSet);
        if (touched != touchedFrames.Count)
        {
            return $"{touched} frames are marked as touched, but {touchedFrames.Count} are counted";
        }

        long touches = 0;
        foreach (var leaf in families.AllLeaves())
        {
            leaf.Lock.Enter();
            var (residents, touchesOfLeaf) = leaf.Recount();
            var counted = leaf.Residents;
            leaf.Lock.Exit();
            touches += touchesOfLeaf;
            if (residents != counted)
            {
                return $"{leaf} has {residents} resident slots, but counts {counted}";
            }
        }

        if (touches != ledger.TouchedResidents)
        {
            return $"resident pages have {touches} touches, but {ledger.TouchedResidents} are booked";
        }

        return ledger.Leaves < 0 || ledger.NodeBytes < 0 || ledger.TouchedResidents < 0
            ? $"the ledger is negative: {ledger.Leaves} leaves, {ledger.NodeBytes} bytes, {ledger.TouchedResidents} touches"
            : null;
    }

    /// <summary>What a frame may be for a moment, but not for long.</summary>
    private string? FaultAtRest(int frame)
    {
        ref var header = ref frames[frame];
        return header.State.Load().Phase switch
        {
            FramePhase.Free when header.PinsAcquire != 0 => $"free frame {frame} has {header.PinsAcquire} pins",
            FramePhase.Detached when header.PinsAcquire == 0 => $"frame {frame} is Detached, and nobody pins it",
            FramePhase.Claimed => $"frame {frame} stays Claimed",
            FramePhase.Clean when header.Queue == 0 => $"frame {frame} is Clean, and the policy does not know it",
            _ => null,
        };
    }

    /// <summary>A fault counts only if it is still there after other threads had time to finish what they were doing.</summary>
    private static void Expect(List<string> violations, Func<string?> check)
    {
        Concurrency.Backoff backoff = default;
        string? fault = null;
        var patient = Environment.TickCount64 + PatienceMilliseconds;
        for (var attempt = 0; attempt < Retries || Environment.TickCount64 < patient; attempt++)
        {
            fault = check();
            if (fault is null)
            {
                return;
            }

            backoff.Once();
        }

        violations.Add(fault!);
    }
}
