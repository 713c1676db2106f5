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
/// <para><b>Lock.</b> The policy's lock is a leaf of the lock order: only frame words are touched under it.</para>
/// </remarks>
internal sealed class Reclaimer(
    FrameTable frames, PhysicalTable table, IEvictionPolicy policy, ReferenceWalk walk, FramePool pool, VolumeList volumes)
{
    /// <summary>Candidates looked at before a call gives up.</summary>
    public const int MaxEffort = 256;

    private readonly StripedCounter _evictions = new();
    private TinyLock _lock;

    public long Evictions => _evictions.Sum;

    public long PolicyBytes => policy.MetadataBytes;

    /// <summary>
    /// A page was loaded: its frame may be evicted from now on. Not if a discard has detached it meanwhile: the
    /// discarder takes the frame out of the policy under the same lock, after it has changed the state.
    /// </summary>
    public void Admit(int frame, int generation, ulong identityHash)
    {
        _lock.Enter();
        try
        {
            var state = frames[frame].State.Load();
            // Claimed at this moment only by a relocation or a take-over, which either unclaims or forgets the frame afterwards.
            if (state.Phase is FramePhase.Clean or FramePhase.Claimed && state.Generation == generation)
            {
                policy.Admit(frame, identityHash);
            }
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
            policy.Remove(frame);
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
        while (effort > 0)
        {
            if (!TryClaimVictim(ref effort, out frame, out var generation))
            {
                return false;
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
                frame = policy.PickVictim();
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
                        policy.Evicted(frame, frames.IdentityOf(frame) is { IsSome: true } identity ? identity.Hash : 0);
                        return true;
                    }

                    if (!header.State.TryUnclaim(generation))
                    {
                        AbandonClaim(frame);
                        continue;
                    }
                }

                // Pinned, or being discarded: in the latter case the discarder takes it out after us.
                policy.PutBack(frame);
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

    /// <summary>A discard ended the tenancy while the frame was claimed, and somebody pins it. The policy has it no more.</summary>
    private void AbandonClaim(int frame)
    {
        var identity = frames.IdentityOf(frame);
        Unlist(frame, identity);
        frames[frame].State.DetachClaimed();
        if (frames.TryFreeDetached(frame))
        {
            pool.Return(frame);
        }
    }
}
