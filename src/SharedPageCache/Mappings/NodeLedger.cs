using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The books of all page trees of a cache: bytes of nodes, leaves, touched resident pages. All figures are kept as they
/// change, so reading them costs nothing.
/// </summary>
/// <remarks>
/// A node's bytes are booked when it is made and taken off when the garbage collector has found it unreachable (its
/// <see cref="NodeTicket"/> is finalized): garbage that is not yet collected counts as used, so the figure errs on the
/// safe side of the memory limit.
/// </remarks>
internal sealed class NodeLedger
{
    private long _nodeBytes;
    private long _leaves;
    private long _touchedResidents;
    private long _logicalBytes;
    private long _touchMoves;
    private int _emptied;

    public long NodeBytes => Atomic.LoadAcquire(ref _nodeBytes);

    public long Leaves => Atomic.LoadAcquire(ref _leaves);

    /// <summary>Sum over all resident slots of the number of files that have used the page.</summary>
    public long TouchedResidents => Atomic.LoadAcquire(ref _touchedResidents);

    /// <summary>A number that moves, under the leaf's lock, before <see cref="TouchedResidents"/> does.</summary>
    public long TouchMoves => Atomic.LoadAcquire(ref _touchMoves);

    /// <summary>Leaves that lost their last resident page since the last sweep.</summary>
    public int Emptied => Atomic.LoadAcquire(ref _emptied);

    /// <summary>The lengths of all open files added up.</summary>
    public long LogicalBytes => Atomic.LoadAcquire(ref _logicalBytes);

    public void AddLogicalBytes(long bytes) => Atomic.Add(ref _logicalBytes, bytes);

    public void AddNode(int bytes) => Atomic.Add(ref _nodeBytes, bytes);

    public void RemoveNode(int bytes) => Atomic.Add(ref _nodeBytes, -bytes);

    public void AddLeaf() => Atomic.Add(ref _leaves, 1);

    public void RemoveLeaf() => Atomic.Add(ref _leaves, -1);

    public void AddTouchedResidents(int count)
    {
        if (count != 0)
        {
            Atomic.Add(ref _touchMoves, 1);
            Atomic.Add(ref _touchedResidents, count);
        }
    }

    public void LeafBecameEmpty() => Atomic.Increment(ref _emptied);

    public void BeginSweep() => Atomic.Exchange(ref _emptied, 0);
}
