using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Eviction;

/// <summary>
/// Goes through all leaves now and then: takes leaves that have lost all their pages out of the trees, and brings frames
/// whose generations were used up back into service.
/// </summary>
/// <remarks>
/// Runs when an eighth of the leaves has been emptied since the last time, so its cost is spread over the evictions that
/// emptied them. A leaf dies under its lock, then it is unlinked from the versions of the files that adopted its family;
/// sharers share the very node, so one unlink serves them all.
/// </remarks>
internal sealed class LeafSweeper(FrameTable frames, FamilyTable families, NodeLedger ledger, FramePool pool)
{
    private const int FewestEmptied = 64;
    private TinyLock _lock;

    public void SweepIfNeeded()
    {
        if (ledger.Emptied < Math.Max(FewestEmptied, ledger.Leaves / 8) && pool.RetiredCount == 0)
        {
            return;
        }

        Sweep();
    }

    public void Sweep()
    {
        if (!_lock.TryEnter())
        {
            return;
        }

        try
        {
            ledger.BeginSweep();
            var retired = pool.TakeRetired();
            foreach (var leaf in families.AllLeaves())
            {
                if (retired.Length > 0)
                {
                    ForgetFrames(leaf);
                }

                if (leaf.IsEmptied)
                {
                    Bury(leaf);
                }
            }

            foreach (var frame in retired)
            {
                pool.Renew(frame);
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>No slot may name a retired frame when its generations begin again.</summary>
    private void ForgetFrames(Leaf leaf)
    {
        leaf.Lock.Enter();
        try
        {
            for (var slot = 0; slot < leaf.Slots.Length; slot++)
            {
                var reference = leaf[slot];
                if (reference.IsResident && frames[reference.Frame].State.Load().Phase == FramePhase.Retired)
                {
                    leaf.Forget(slot, ledger);
                }
            }
        }
        finally
        {
            leaf.Lock.Exit();
        }
    }

    private void Bury(Leaf leaf)
    {
        leaf.Lock.Enter();
        var dead = leaf.IsEmptied;
        if (dead)
        {
            leaf.Bury(ledger);
        }

        leaf.Lock.Exit();
        if (!dead)
        {
            return;
        }

        foreach (var (files, window) in leaf.Family.Adopters())
        {
            PageTree? last = null;
            foreach (var file in files.Members())
            {
                if (file.Tree is var tree && tree != last)
                {
                    tree.TryUnlink(window, leaf);
                    last = tree;
                }
            }
        }
    }
}
