using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Eviction;

/// <summary>
/// Takes leaves out of the trees: now and then all that have lost their pages, and under pressure those that are worth
/// least. Also brings frames whose generations were used up back into service.
/// </summary>
/// <remarks>
/// <para>
/// <b>Sweep.</b> Runs when an eighth of the leaves has been emptied since the last time, so its cost is spread over the
/// evictions that emptied them.
/// </para>
/// <para>
/// <b>Prune.</b> Runs when metadata has outgrown all that frames may give up for it. Goes round the families in batches and
/// buries the quarter of each batch that shows the fewest, coldest pages, until enough is free. The pages stay in their
/// frames and in the physical table: who reads one again has a minor fault. The youngest quarter of all leaves is spared,
/// so that a fault under way finds its leaf again.
/// </para>
/// <para>
/// <b>Burial.</b> A leaf dies under its lock: from then on nothing is installed or touched in it. If it was the last of its
/// family, the family's places leave the reverse map and the indexes. Then each file that shows the leaf forgets what it has
/// used of it, and only when all have, the leaf is unlinked from their versions: the next leaf of the window begins with
/// counts and bits that agree. Sharers share the very node, so one unlink serves them all. Where a gate is not free, the dead
/// leaf stays linked until the next round; a fault that meets it exchanges it. Inner nodes that have no children any more go
/// with the leaf.
/// </para>
/// </remarks>
internal sealed class LeafSweeper(FrameTable frames, FamilyTable families, NodeLedger ledger, FramePool pool, ReverseMap rmap)
{
    private const int FewestEmptied = 64;
    private const int BatchFamilies = 256;

    /// <summary>A leaf with more pages than this is weighed by their number alone.</summary>
    private const int FewPages = 16;

    private readonly List<Leaf> _batch = [];
    private readonly List<(int Slot, int Frame)> _shown = [];
    private TinyLock _lock;
    private int _cursor;

    public void SweepIfNeeded()
    {
        if (ledger.Emptied < Math.Max(FewestEmptied, ledger.LiveLeaves / 8) && pool.RetiredCount == 0)
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

                if ((leaf.IsEmptied || leaf.IsDead) && !leaf.IsGarbage)
                {
                    Bury(leaf, onlyIfEmptied: true);
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

    /// <summary>Takes leaves out until enough bytes of nodes are garbage, or nothing is left that may go.</summary>
    /// <param name="missing">How many bytes are missing, asked when nobody else is at it.</param>
    /// <param name="waits">Whether to wait for somebody else who is at it; else nothing is done then.</param>
    public void Prune(Func<long> missing, bool waits = false)
    {
        if (waits)
        {
            _lock.Enter();
        }
        else if (!_lock.TryEnter())
        {
            return;
        }

        try
        {
            var goal = ledger.NodeBytes - missing();
            for (var idle = 0; idle <= families.Numbers && ledger.NodeBytes > goal; idle += BatchFamilies)
            {
                _cursor = families.CopyLeavesTo(_batch, _cursor, BatchFamilies);
                if (BuryLightest(goal))
                {
                    idle = -BatchFamilies;
                }

                _batch.Clear();
            }
        }
        finally
        {
            _batch.Clear();
            _lock.Exit();
        }
    }

    private bool BuryLightest(long goal)
    {
        var young = ledger.LeavesMade - (ledger.LiveLeaves / 4) - 1;
        var candidates = _batch.Where(leaf => !leaf.IsGarbage && leaf.Number <= young)
            .Select(leaf => (Weight: WeightOf(leaf), Leaf: leaf)).OrderBy(static candidate => candidate.Weight).ToList();
        var any = false;
        foreach (var (_, leaf) in candidates.Take((candidates.Count + 3) / 4))
        {
            any |= Bury(leaf, onlyIfEmptied: false);
            if (ledger.NodeBytes <= goal)
            {
                break;
            }
        }

        return any;
    }

    /// <summary>What is lost with a leaf: its pages, hot ones more than cold ones.</summary>
    private int WeightOf(Leaf leaf)
    {
        var residents = leaf.Residents;
        if (residents > FewPages || leaf.IsDead)
        {
            return leaf.IsDead ? -1 : 2 * residents;
        }

        var weight = 0;
        for (var slot = 0; slot < leaf.Slots.Length && residents > 0; slot++)
        {
            if (leaf[slot] is { IsResident: true } reference)
            {
                residents--;
                weight += 1 + (frames[reference.Frame].State.Load().Admits(reference.Word) ? frames[reference.Frame].UseCount : 0);
            }
        }

        return weight;
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

    /// <summary>Takes a leaf out of service and out of the trees.</summary>
    /// <returns>Whether it is out of all trees now.</returns>
    private bool Bury(Leaf leaf, bool onlyIfEmptied)
    {
        leaf.Lock.Enter();
        var dies = leaf.MayBeBuried && (!onlyIfEmptied || leaf.IsEmptied);
        if (dies)
        {
            leaf.Bury(_shown, ledger);
        }

        leaf.Lock.Exit();
        if (dies && leaf.Family.LeafBuried())
        {
            foreach (var (slot, frame) in _shown)
            {
                rmap.Remove(frame, new Place(leaf.Family.Id, slot));
            }
        }

        _shown.Clear();
        return leaf.IsDead && TryUnlink(leaf);
    }

    private static bool TryUnlink(Leaf leaf)
    {
        var adopters = leaf.Family.Adopters();
        var isFree = true;
        foreach (var (files, window) in adopters)
        {
            foreach (var file in files.Members())
            {
                isFree &= file.TryForgetTouches(window, leaf);
            }
        }

        if (!isFree)
        {
            return false;
        }

        VolumeMap? volume = null;
        foreach (var (files, window) in adopters)
        {
            PageTree? last = null;
            foreach (var file in files.Members())
            {
                volume = file.Volume;
                if (file.Tree is var tree && tree != last)
                {
                    tree.TryUnlink(window, leaf);
                    tree.Prune(window);
                    last = tree;
                }
            }
        }

        leaf.Discard();
        volume?.Leaves.Remove(leaf);
        if (leaf.Family.IsClosed)
        {
            volume?.Regions.Remove(leaf);
        }

        return true;
    }
}
