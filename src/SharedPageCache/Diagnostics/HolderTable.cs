using System.Diagnostics;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Diagnostics;

/// <summary>
/// Who leases which page, in checked mode: a ticket for each lease, which ends once.
/// </summary>
/// <remarks>
/// <para>
/// <b>What it finds.</b> A pin has no name, so off checked mode a copy of a lease's struct that is given back too takes away
/// somebody else's pin, and the page of that one may be recycled under it. Here the copy's ticket has ended: the second
/// release does nothing, is told with both stacks, and throws. The same for a copy that is read after the end. A lease that was
/// collected is told with the stack that took it. A leased page whose bytes are others at the end than at the beginning was
/// written through the lease's memory, or in place by the cache itself, which would be a bug.
/// </para>
/// <para>
/// <b>What it costs.</b> On: a stack trace with line numbers and a checksum for each lease, a lock for a moment at both ends, and
/// some 500 bytes a lease, of which the last of each frame is kept. Off: there is none; a lease compares its ticket with a constant.
/// </para>
/// <para>
/// <b>What it cannot find.</b> A plain value (<see cref="LeaseKind.Kept"/>) or a lease on the stack that is never given back is
/// not told by itself, since nothing is collected: it stays in the list of holders. Who has a span beyond the end is found only if
/// he writes (<see cref="Frames.FrameGuard"/>).
/// </para>
/// </remarks>
internal sealed class HolderTable(int frameCount)
{
    /// <summary>The ticket of every lease while checked mode is off.</summary>
    public const int Untracked = 1;

    private const int MostEnded = 1024;

    private readonly Dictionary<int, LeaseHolder> _live = [];
    private readonly Dictionary<int, LeaseHolder> _ended = [];
    private readonly Queue<int> _endedOrder = new(MostEnded + 1);
    private readonly LeaseHolder?[] _lastOf = new LeaseHolder?[frameCount];
    private TinyLock _lock;
    private long _numbers;

    /// <summary>A lease begins.</summary>
    /// <returns>Its ticket.</returns>
    public int Add(LeaseHolder holder)
    {
        _lock.Enter();
        try
        {
            int ticket;
            do
            {
                holder.Number = ++_numbers;
                ticket = (int)(_numbers % (int.MaxValue - Untracked)) + Untracked + 1;
            }
            while (!_live.TryAdd(ticket, holder));
            _ended.Remove(ticket);
            if (holder.Frame >= 0)
            {
                _lastOf[holder.Frame] = holder;
            }

            return ticket;
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>A lease ends.</summary>
    /// <returns>The lease; null if it has ended before.</returns>
    public LeaseHolder? End(int ticket)
    {
        _lock.Enter();
        try
        {
            if (!_live.Remove(ticket, out var holder))
            {
                return null;
            }

            // Only structs can be copied, and given back twice.
            var isStruct = holder.Kind is LeaseKind.Stack or LeaseKind.Kept;
            holder.Ended = (Environment.CurrentManagedThreadId, isStruct ? new StackTrace(1, fNeedFileInfo: true) : null);
            if (isStruct)
            {
                _ended[ticket] = holder;
                _endedOrder.Enqueue(ticket);
                if (_endedOrder.Count > MostEnded)
                {
                    _ended.Remove(_endedOrder.Dequeue());
                }
            }

            return holder;
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Whether a lease has not ended; if it has, what is still known of it.</summary>
    public bool IsLive(int ticket, out LeaseHolder? ended)
    {
        _lock.Enter();
        var isLive = _live.ContainsKey(ticket);
        ended = isLive ? null : _ended.GetValueOrDefault(ticket);
        _lock.Exit();
        return isLive;
    }

    /// <summary>All leases that have not ended, oldest first.</summary>
    public List<LeaseHolder> All()
    {
        _lock.Enter();
        List<LeaseHolder> all = [.. _live.Values];
        _lock.Exit();
        all.Sort(static (left, right) => left.Number.CompareTo(right.Number));
        return all;
    }

    /// <summary>The newest lease of a frame, ended or not, in words and with its stack.</summary>
    public (string Words, string TakenAt)? LastOf(int frame)
    {
        _lock.Enter();
        var last = _lastOf[frame];
        _lock.Exit();
        return last is null ? null : (last.ToString(), last.TakenAt);
    }
}
