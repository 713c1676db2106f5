using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;

namespace SharedPageCache.Eviction;

/// <summary>
/// Where a fault gets a frame: from the free list, else by evicting a page, else not at all (and the read goes around).
/// Also keeps pages and metadata together under the limit.
/// </summary>
/// <remarks>
/// When metadata outgrows its allowance, frames are given up for it, up to <see cref="MemoryPlan.MostWithheld"/>; when that
/// is not enough, leaves are pruned. Both happen early by what may come between two balances, and pruning makes room for
/// more than was missing, so that it runs seldom.
/// </remarks>
internal sealed class FrameSupply(
    FramePool pool, Reclaimer reclaimer, LeafSweeper sweeper, NodeLedger ledger, NodeGarbage garbage, VolumeList volumes, MemoryPlan plan,
    Func<long> metadataBytes)
{
    /// <summary>How much metadata may grow between two balances: a leaf, an inner node, a segment of touch bits.</summary>
    private long Slack { get; } = Math.Min(16 << 10, plan.MetadataAllowance / 2);

    /// <summary>Leaves are pruned when less than this is left of the room for metadata, until twice as much is left.</summary>
    private long Margin { get; } = Math.Min(1 << 20, (plan.MetadataAllowance + (long)plan.MostWithheld * plan.PageSize) / 16);

    private TinyLock _balanceLock;
    private long _balancedAt;

    /// <summary>Managed metadata in bytes: nodes, indexes, overflow of the rmap.</summary>
    public long ManagedMetadataBytes => ledger.NodeBytes + volumes.Bytes;

    /// <summary>Whether metadata has outgrown all that frames could give up for it.</summary>
    public bool IsMetadataFull => ledger.NodeBytes > plan.MetadataAllowance
        && Over > (long)plan.MostWithheld * plan.PageSize;

    /// <summary>Bytes that would be too many if all frames were in service.</summary>
    private long Over => plan.FrameBytes + metadataBytes() + Slack - plan.CapacityBytes;

    /// <summary>Takes a frame for a page of somebody. Never waits.</summary>
    public bool TryTake(FrameOwner owner, out int frame)
    {
        if (pool.TryTake(owner, out frame))
        {
            return true;
        }

        if (!reclaimer.TryEvict(out frame))
        {
            return pool.TryTakeEarly(owner, out frame);
        }

        pool.Prepare(frame, owner);
        return true;
    }

    /// <summary>Balances if nodes have come or gone since the last time; else this costs a comparison.</summary>
    public void BalanceIfMoved()
    {
        if (Math.Abs(ledger.NodeBytes - Atomic.LoadAcquire(ref _balancedAt)) >= Slack / 2)
        {
            Balance();
        }
    }

    /// <summary>Before somebody is refused for want of metadata: leaves are pruned, and if that is not enough garbage is collected.</summary>
    public void CollectNodes()
    {
        Balance(waits: true);
        if (IsMetadataFull && garbage.TryCollect())
        {
            Balance(waits: true);
        }
    }

    /// <summary>
    /// Gives up frames while metadata is over its allowance, and takes them back when it is under again; prunes leaves when
    /// no more may be given up. Called when a node was made, without locks.
    /// </summary>
    /// <param name="waits">Whether to wait for somebody else who is pruning, and then to look again what is missing.</param>
    public void Balance(bool waits = false)
    {
        var over = Over;
        if (over + Margin > (long)plan.MostWithheld * plan.PageSize)
        {
            sweeper.Prune(() => Over + 2 * Margin - (long)plan.MostWithheld * plan.PageSize, waits);
            over = Over;
        }

        Atomic.StoreRelease(ref _balancedAt, ledger.NodeBytes);
        var wanted = over <= 0 ? 0 : (int)Math.Min((over + plan.PageSize - 1) / plan.PageSize, plan.MostWithheld);
        if (pool.WithheldCount == wanted || !_balanceLock.TryEnter())
        {
            return;
        }

        try
        {
            while (pool.WithheldCount < wanted)
            {
                if (!TryTake(FrameOwner.Nobody, out var frame))
                {
                    return;
                }

                pool.Withhold(frame);
            }

            while (pool.WithheldCount > wanted && pool.TryReadmit())
            {
            }
        }
        finally
        {
            _balanceLock.Exit();
        }
    }
}
