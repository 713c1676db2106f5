using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// What an engine says about blocks: they were freed (discard) or their content moved (relocate).
/// </summary>
/// <remarks>
/// <para>
/// Takes no gate and waits for nothing but another thread's bounded step, so an engine may call it under any lock of its
/// own. The clock is advanced first (a full fence), then frames are looked for; see <see cref="RegionClock"/> for why
/// no fault slips between.
/// </para>
/// <para>
/// A discarded frame gets a new generation at once, pinned or not: no reference to it is believed from then on, and who
/// installs one after this call has installed a dead one. Its bytes stay for those who hold a lease; the last unpin frees
/// it. A frame that is being loaded is detached in the same way, and the loader finds that it cannot publish.
/// </para>
/// <para>
/// A relocation that is late meets the end of its volume: it claims the frame (full fence), looks whether the volume is
/// detached, and if so lets the frame be, which may be of another volume under the same number by now. It looks again
/// after the frame has its new identity and was unclaimed (full fence): the detacher sets the flag (full fence) and then
/// looks at every frame once, so either it saw the new identity or the flag is seen here and the frame is dropped.
/// </para>
/// </remarks>
internal sealed class BlockInvalidation(Rooms rooms)
{
    private readonly FrameTable _frames = rooms.Frames;

    /// <summary>Drops every page that was made of a block of the run.</summary>
    public void Discard(VolumeMap volume, BlockRun run)
    {
        var (first, last) = BlocksOf(run);
        volume.Clock.Advance(first, last);
        ForEachFrame(volume, first, last, Drop);
        DropComposites(volume, run);
        volume.Bad.Remove(run);
    }

    /// <summary>
    /// Drops what is cached of a run that a write-back is going to write. The run is listed as placed, which is what loads
    /// look at after they have become findable; the clock stands still, for no file's extents have changed.
    /// </summary>
    public void DropCached(VolumeMap volume, BlockRun run)
    {
        var (first, last) = BlocksOf(run);
        ForEachFrame(volume, first, last, Drop);
        DropComposites(volume, run);
    }

    /// <summary>Lets cached pages follow their content to other blocks.</summary>
    public void Relocate(VolumeMap volume, BlockRun from, BlockRun to, uint fromGeneration, uint toGeneration)
    {
        // Whatever is cached of the target is older than what was just copied there.
        Discard(volume, to);
        volume.NoteMove();
        var (first, last) = BlocksOf(from);
        volume.Clock.Advance(first, last);
        DropComposites(volume, from);
        var distance = to.Offset - from.Offset;
        var aligned = (distance & (rooms.PageSize - 1)) == 0;
        ForEachFrame(volume, first, last, (frame, identity) =>
        {
            var start = identity.Block << rooms.PageShift;
            var whole = start >= from.Offset && start + rooms.PageSize <= from.End;
            var target = start + distance >> rooms.PageShift;
            if (aligned && whole && identity.Generation == fromGeneration && target <= BlockIdentity.MaxBlock)
            {
                Rekey(volume, frame, identity, BlockIdentity.Of(volume.Number, target, toGeneration));
            }
            else
            {
                Drop(frame, identity);
            }
        });

        // Who asked meanwhile, before the extents changed, has loaded the old block into a frame that was moved then.
        volume.Clock.Advance(first, last);
    }

    /// <summary>Drops every page of a volume that is being detached.</summary>
    public void DiscardAll(VolumeMap volume)
    {
        volume.Clock.Advance(0, BlockIdentity.MaxBlock);
        ForEachFrame(volume, 0, BlockIdentity.MaxBlock, Drop);
        Drop(volume.Composites.All());
        DropDirty(volume);
    }

    /// <summary>
    /// What is dirty goes too. An image that is being written is left to its write-back, which finds the volume detached
    /// when it takes the binding lock, and publishes nothing.
    /// </summary>
    public void DropDirty(VolumeMap volume)
    {
        foreach (var (frame, entry) in volume.Dirty.All())
        {
            _frames.Pin(frame);
            Backoff backoff = default;
            for (var state = _frames[frame].State.Load();
                 state.Generation == entry.Generation && state.Phase == FramePhase.Dirty;
                 state = _frames[frame].State.Load())
            {
                if (_frames[frame].State.TryOrphan(state))
                {
                    volume.Dirty.Remove(frame);
                    break;
                }

                backoff.Once();
            }

            Unpin(frame);
        }
    }

    /// <summary>The blocks of a run, as far as blocks can be cached at all.</summary>
    private (long First, long Last) BlocksOf(BlockRun run) =>
        (run.Offset >> rooms.PageShift, Math.Min(run.End - 1 >> rooms.PageShift, BlockIdentity.MaxBlock));

    private void ForEachFrame(VolumeMap volume, long first, long last, Action<int, BlockIdentity> visit)
    {
        if (last - first < _frames.Count)
        {
            var found = new List<int>();
            for (var block = first; block <= last; block++)
            {
                var wanted = BlockIdentity.Of(volume.Number, block, 0);
                rooms.Table.FindAllGenerations(wanted, found);
                foreach (var frame in found)
                {
                    if (_frames.IdentityOf(frame) is var identity && identity.Packed == wanted.Packed)
                    {
                        visit(frame, identity);
                    }
                }
            }

            return;
        }

        for (var frame = 0; frame < _frames.Count; frame++)
        {
            var identity = _frames.IdentityOf(frame);
            if (identity.IsSome && identity.Volume == volume.Number && identity.Block >= first && identity.Block <= last)
            {
                visit(frame, identity);
            }
        }
    }

    private void DropComposites(VolumeMap volume, BlockRun run) => Drop(volume.Composites.MadeOf(run));

    private void Drop(List<(int Frame, int Generation)> composites)
    {
        foreach (var (frame, generation) in composites)
        {
            var state = _frames[frame].State.Load();
            if (state.Generation == generation)
            {
                Drop(frame, default);
            }
        }
    }

    /// <summary>Ends the tenancy of a frame that holds a block (or a composite page).</summary>
    private void Drop(int frame, BlockIdentity identity)
    {
        // The pin keeps a detached frame from being freed by somebody else before it is out of every table.
        _frames.Pin(frame);
        DropPinned(frame, identity);
        Unpin(frame);
    }

    private void DropPinned(int frame, BlockIdentity identity)
    {
        ref var header = ref _frames[frame];
        while (true)
        {
            var state = header.State.Load();
            if (_frames.IdentityOf(frame) != identity)
            {
                return;
            }

            switch (state.Phase)
            {
                case FramePhase.Clean or FramePhase.Loading:
                    if (!header.State.TryDetach(state))
                    {
                        continue;
                    }

                    rooms.Walk.TurnBack(frame, state.Generation);
                    rooms.Reclaimer.Unlist(frame, identity);
                    rooms.Reclaimer.Forget(frame);
                    rooms.Counters.PagesDiscarded.Increment();
                    return;

                // The evictor takes it out; no reference is believed meanwhile, and it cannot be unclaimed any more.
                case FramePhase.Claimed:
                    if (header.State.TryDisown(state.Generation))
                    {
                        return;
                    }

                    continue;

                default:
                    return;
            }
        }
    }

    /// <summary>Moves a frame to another identity; its references, pins and bytes stay.</summary>
    private void Rekey(VolumeMap volume, int frame, BlockIdentity from, BlockIdentity to)
    {
        ref var header = ref _frames[frame];
        _frames.Pin(frame);
        var state = header.State.Load();
        if (state.Phase == FramePhase.Clean && _frames.IdentityOf(frame) == from && header.State.TryClaim(state.Generation))
        {
            if (volume.IsDetached)
            {
                if (!header.State.TryUnclaim(state.Generation))
                {
                    RetireRekeyed(frame, state.Generation, from, yields: false);
                }

                Unpin(frame);
                return;
            }

            rooms.Table.Remove(frame, from);
            _frames.SetIdentity(frame, to);
            var yields = rooms.Table.TryInsert(frame, to) >= 0;
            if (yields || !header.State.TryUnclaim(state.Generation))
            {
                RetireRekeyed(frame, state.Generation, to, yields);
            }
            else if (volume.IsDetached)
            {
                DropPinned(frame, to);
            }
        }
        else
        {
            // Loading or being evicted: the content is read again from its new place.
            DropPinned(frame, from);
        }

        Unpin(frame);
    }

    /// <summary>
    /// Somebody has loaded the new block already (one copy only: this one yields), or a discard came meanwhile.
    /// </summary>
    private void RetireRekeyed(int frame, int generation, BlockIdentity identity, bool yields)
    {
        if (yields)
        {
            _frames[frame].State.TryDisown(generation);
        }
        else
        {
            rooms.Table.Remove(frame, identity);
        }

        _frames[frame].State.DetachClaimed();
        rooms.Reclaimer.Forget(frame);
    }

    private void Unpin(int frame)
    {
        if (_frames.Unpin(frame))
        {
            rooms.Pool.Return(frame);
        }
    }
}
