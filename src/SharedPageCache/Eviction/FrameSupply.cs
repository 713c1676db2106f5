using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache.Eviction;

/// <summary>
/// Where a fault gets a frame: from the free list, else by evicting a page, else not at all (and the read goes around).
/// Also keeps pages and metadata together under the limit.
/// </summary>
internal sealed class FrameSupply(
    FramePool pool, Reclaimer reclaimer, NodeLedger ledger, VolumeList volumes, MemoryPlan plan, Func<long> metadataBytes)
{
    private TinyLock _balanceLock;

    /// <summary>Managed metadata in bytes: nodes, indexes, overflow of the rmap.</summary>
    public long ManagedMetadataBytes
    {
        get
        {
            var bytes = ledger.NodeBytes;
            foreach (var volume in volumes.All())
            {
                bytes += volume.Bytes;
            }

            return bytes;
        }
    }

    /// <summary>Whether metadata has outgrown all that frames could give up for it.</summary>
    public bool IsMetadataFull => ledger.NodeBytes > plan.MetadataAllowance + plan.FrameBytes / 2;

    /// <summary>Takes a frame for a page of a domain. Never waits.</summary>
    public bool TryTake(SecurityDomain domain, out int frame)
    {
        if (pool.TryTake(domain, out frame))
        {
            return true;
        }

        if (!reclaimer.TryEvict(out frame))
        {
            return false;
        }

        pool.Prepare(frame, domain);
        return true;
    }

    /// <summary>
    /// Gives up frames while metadata is over its allowance, and takes them back when it is under again. Called when a
    /// node was made.
    /// </summary>
    public void Balance()
    {
        var over = plan.FrameBytes + metadataBytes() - plan.CapacityBytes;
        var wanted = over <= 0 ? 0 : (int)Math.Min((over + plan.PageSize - 1) / plan.PageSize, plan.MostWithheld);
        if (pool.WithheldCount == wanted || !_balanceLock.TryEnter())
        {
            return;
        }

        try
        {
            while (pool.WithheldCount < wanted)
            {
                if (!TryTake(SecurityDomain.Default, out var frame))
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
