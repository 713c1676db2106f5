using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Physical;

namespace SharedPageCache.Eviction;

/// <summary>
/// Takes resident pages out of the cache: asks the policy, claims the frame, retires it downwards (tree, rmap, physical
/// table, state).
/// </summary>
/// <remarks>
/// <para>
/// <b>Protocol.</b> Claim (Clean -> Claimed, full fence), then look at the pins: a pin is an increment (full fence)
/// followed by a look at the state, so of evictor and pinner at least one sees the other. With pins the frame is
/// unclaimed and put back. Without, its references are turned back (a bounded walk), it leaves the physical table, and
/// its generation advances as it becomes free, which kills every reference that the walk did not reach.
/// </para>
/// <para>
/// <b>Bounded.</b> One call looks at no more than <see cref="MaxEffort"/> candidates. When all of them are pinned it gives
/// up and the read goes around the cache.
/// </para>
/// <para>
/// <b>Sharers.</b> If they weigh, a claimed page may be spared instead: unclaimed, like one that turns out to be pinned. Their number is
/// looked up while the frame is claimed and no lock is held. One call spares at most <see cref="MostSpared"/> pages, so a cache full of
/// shared pages still gives one up at each call.
/// </para>
/// <para><b>Lock.</b> The policy's lock is a leaf of the lock order: only frame words are touched under it.</para>
/// </remarks>
internal sealed class Reclaimer(
    FrameTable frames, PhysicalTable table, IEvictionPolicy policy, ReferenceWalk walk, FramePool pool, VolumeList volumes,
    SharerChances? chances = null)
{
    /// <summary>Candidates looked at before a call gives up.</summary>
    public const int MaxEffort = 256;

    /// <summary>Pages that a call spares for their sharers.</summary>
    private const int MostSpared = 16;

    private readonly ColdEnd _policy = new(frames, policy);
    private readonly StripedCounter _spares = new();
    private readonly StripedCounter _evictions = new();
    private TinyLock _lock;

    public long Evictions => _evictions.Sum;

    /// <summary>How often a page was spared for its sharers.</summary>
    public long Spares => _spares.Sum;

    public long PolicyBytes => _policy.MetadataBytes;

    /// <summary>
    /// A page was loaded: its frame may be evicted from now on. Not if a discard has detached it meanwhile: the
    /// discarder takes the frame out of the policy under the same lock, after it has changed the state.
    /// </summary>
    public void Admit(int frame, int generation, ulong identityHash, Entry entry = Entry.Newcomer)
    {
        _lock.Enter();
        try
        {
            var state = frames[frame].State.Load();
            // Claimed at this moment only by a relocation or a take-over, which either unclaims or forgets the frame afterwards.
            if (state.Phase is FramePhase.Clean or FramePhase.Claimed && state.Generation == generation)
            {
                if (entry == Entry.Cold)
                {
                    _policy.AdmitCold(frame);
                }
                else
                {
                    _policy.Admit(frame, identityHash);
                }
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>A page is not needed any more: it goes before others, unless it is used meanwhile.</summary>
    /// <returns>Whether it was in the policy, in this tenancy.</returns>
    public bool TryDemote(int frame, int generation)
    {
        _lock.Enter();
        try
        {
            var state = frames[frame].State.Load();
            return state.Phase == FramePhase.Clean && state.Generation == generation && _policy.TryDemote(frame);
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>A detached frame is never offered again.</summary>
    public void Forget(int frame)
    {
        _lock.Enter();
        try
        {
            _policy.Remove(frame);
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Evicts one page and hands its frame, reset and free, to the caller.</summary>
    public bool TryEvict(out int frame)
    {
        var effort = Math.Min(MaxEffort, 2 * frames.Count);
        var spared = 0;
        while (effort > 0)
        {
            if (!TryClaimVictim(ref effort, out frame, out var generation))
            {
                return false;
            }

            if (chances is not null && TrySpare(chances, frame, generation, ref spared))
            {
                continue;
            }

            var identity = frames.IdentityOf(frame);
            walk.TurnBack(frame, generation);
            Unlist(frame, identity);
            frames[frame].State.FreeClaimed();
            _evictions.Increment();
            if (pool.Reset(frame) && pool.TryPass(ref frame))
            {
                return true;
            }
        }

        frame = -1;
        return false;
    }

    /// <summary>
    /// Evicts one page that a writer has chosen and hands its frame, reset, free and with the page's bytes still in it, to
    /// the caller. References to it die with the generation; who believes in one finds the block on the device.
    /// </summary>
    /// <param name="frame">The frame.</param>
    /// <param name="generation">The tenancy that the caller has seen.</param>
    /// <param name="pins">How many pins of the frame are the caller's own: it gives them back afterwards.</param>
    public bool TryTakeOver(int frame, int generation, int pins)
    {
        ref var header = ref frames[frame];
        if (generation >= FrameState.LastGeneration - 1 || header.PinsAcquire != pins || !header.State.TryClaim(generation))
        {
            return false;
        }

        if (header.PinsAcquire != pins)
        {
            if (!header.State.TryUnclaim(generation))
            {
                // Unlike a victim, the frame is in the policy still. While it is claimed nobody frees it, and after the discard's
                // new generation no load admits it: it is forgotten for good before somebody else can have it.
                Forget(frame);
                AbandonClaim(frame);
            }

            return false;
        }

        var identity = frames.IdentityOf(frame);
        walk.TurnBack(frame, generation);
        Unlist(frame, identity);
        header.State.FreeClaimed();

        // Now that no load can admit it any more; the policy met it claimed and put it back.
        Forget(frame);
        return pool.Reset(frame);
    }

    /// <summary>Takes a frame that its owner is retiring out of the table of its block, or of the composites.</summary>
    public void Unlist(int frame, BlockIdentity identity)
    {
        if (identity.IsSome)
        {
            table.Remove(frame, identity);
        }
        else
        {
            volumes.RemoveComposite(frame);
        }
    }

    private bool TryClaimVictim(ref int effort, out int frame, out int generation)
    {
        _lock.Enter();
        try
        {
            while (effort-- > 0)
            {
                frame = _policy.PickVictim();
                if (frame < 0)
                {
                    break;
                }

                ref var header = ref frames[frame];
                generation = header.State.Load().Generation;
                if (header.PinsAcquire == 0 && header.State.TryClaim(generation))
                {
                    if (header.PinsAcquire == 0)
                    {
                        if (chances is null)
                        {
                            TellEvicted(frame);
                        }

                        return true;
                    }

                    if (!header.State.TryUnclaim(generation))
                    {
                        AbandonClaim(frame);
                        continue;
                    }
                }

                // Pinned, or being discarded: in the latter case the discarder takes it out after us.
                _policy.PutBack(frame);
            }
        }
        finally
        {
            _lock.Exit();
        }

        frame = -1;
        generation = 0;
        return false;
    }

    /// <summary>Decides about a claimed page whether it goes or is spared for those who use it.</summary>
    /// <returns>Whether the claim has ended.</returns>
    private bool TrySpare(SharerChances known, int frame, int generation, ref int spared)
    {
        var stays = spared < MostSpared && known.TrySpare(frame, generation);
        _lock.Enter();
        try
        {
            if (!stays)
            {
                TellEvicted(frame);
                return false;
            }

            spared++;
            if (frames[frame].State.TryUnclaim(generation))
            {
                _spares.Increment();
                _policy.Spare(frame);
            }
            else
            {
                AbandonClaim(frame);
            }

            return true;
        }
        finally
        {
            _lock.Exit();
        }
    }

    private void TellEvicted(int frame) =>
        _policy.Evicted(frame, frames.IdentityOf(frame) is { IsSome: true } identity ? identity.Hash : 0);

    /// <summary>A discard ended the tenancy while the frame was claimed, and somebody pins it. The policy has it no more.</summary>
    private void AbandonClaim(int frame)
    {
        var identity = frames.IdentityOf(frame);
        Unlist(frame, identity);

        // A picked frame still carries the mark of where it was picked from.
        frames[frame].Queue = 0;
        frames[frame].State.DetachClaimed();
        if (frames.TryFreeDetached(frame))
        {
            pool.Return(frame);
        }
    }
}
