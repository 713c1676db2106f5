using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// The books of all page trees of a cache: bytes of nodes, leaves, touched resident pages. All figures are kept as they
/// change, so reading them costs nothing.
/// </summary>
/// <remarks>
/// A node's bytes are booked when it is made and taken off when the garbage collector has found it unreachable (its
/// <see cref="NodeTicket"/> is finalized). What the sweeper has taken out of all trees is known to be unreachable before
/// that, and is booked apart as garbage. Other garbage (versions of files that nobody shows any more) counts as used until
/// it is collected, so the figure errs on the safe side of the memory limit.
/// </remarks>
internal sealed class NodeLedger
{
    private const int SumBits = 40;

    private long _nodeBytes;
    private long _garbageBytes;
    private long _leaves;
    private long _leavesMade;
    private long _buriedLeaves;
    private long _logicalBytes;
    private long _filesClosed;
    private long _filesReleased;

    /// <summary>Moves in the upper 24 bits, the sum in the lower 40: one atomic step for both.</summary>
    private long _touches;
    private int _emptied;

    /// <summary>Bytes of nodes that may be reachable.</summary>
    public long NodeBytes => Atomic.LoadAcquire(ref _nodeBytes) - GarbageBytes;

    /// <summary>Bytes of nodes that were taken out of all trees and are not collected yet.</summary>
    public long GarbageBytes => Atomic.LoadAcquire(ref _garbageBytes);

    /// <summary>Leaves that are not collected yet.</summary>
    public long Leaves => Atomic.LoadAcquire(ref _leaves);

    /// <summary>Leaves that were not taken out of the trees.</summary>
    public long LiveLeaves => Leaves - Atomic.LoadAcquire(ref _buriedLeaves);

    /// <summary>Leaves made so far: the youth of a leaf is how many came after it.</summary>
    public long LeavesMade => Atomic.LoadAcquire(ref _leavesMade);

    /// <summary>Sum over all resident slots of the number of files that have used the page.</summary>
    public long TouchedResidents => Atomic.LoadAcquire(ref _touches) << 64 - SumBits >> 64 - SumBits;

    /// <summary>A number that moves, under the leaf's lock, with <see cref="TouchedResidents"/>.</summary>
    public long TouchMoves => Atomic.LoadAcquire(ref _touches) >>> SumBits;

    /// <summary>Leaves that lost their last resident page since the last sweep.</summary>
    public int Emptied => Atomic.LoadAcquire(ref _emptied);

    /// <summary>The lengths of all open files added up.</summary>
    public long LogicalBytes => Atomic.LoadAcquire(ref _logicalBytes);

    /// <summary>Files that were closed so far.</summary>
    public long FilesClosed => Atomic.LoadAcquire(ref _filesClosed);

    /// <summary>How often something was let go that may be garbage now: files that were closed, and those that were still held then and are no more.</summary>
    public long LetGo => FilesClosed + Atomic.LoadAcquire(ref _filesReleased);

    public void FileClosed() => Atomic.Add(ref _filesClosed, 1);

    /// <summary>Who has held files, closed or not, holds them no more.</summary>
    /// <param name="closed">How many files were closed meanwhile.</param>
    public void FilesReleased(long closed) => Atomic.Add(ref _filesReleased, closed);

    public void AddLogicalBytes(long bytes) => Atomic.Add(ref _logicalBytes, bytes);

    public void AddNode(long bytes) => Atomic.Add(ref _nodeBytes, bytes);

    public void RemoveNode(long bytes) => Atomic.Add(ref _nodeBytes, -bytes);

    /// <summary>A node was taken out of all trees; or, with negative figures, the collector has taken it.</summary>
    public void AddGarbage(long bytes, int leaves)
    {
        Atomic.Add(ref _garbageBytes, bytes);
        Atomic.Add(ref _buriedLeaves, leaves);
    }

    /// <summary>Counts a leaf; returns how many were made with it.</summary>
    public long AddLeaf()
    {
        Atomic.Add(ref _leaves, 1);
        return Atomic.Add(ref _leavesMade, 1);
    }

    public void RemoveLeaf() => Atomic.Add(ref _leaves, -1);

    public void AddTouchedResidents(int count)
    {
        if (count != 0)
        {
            Atomic.Add(ref _touches, (1L << SumBits) + count);
        }
    }

    public void LeafBecameEmpty() => Atomic.Increment(ref _emptied);

    public void BeginSweep() => Atomic.Exchange(ref _emptied, 0);
}
