using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// The frames that are closed to ordinary reads and leases: buffers for reads around the cache, so that a full cache
/// fails no read. Who finds all of them in use waits; each comes back when its read has been copied out.
/// </summary>
/// <remarks>
/// A volume uses at most all but one of them: the last is for a volume whose device answers while another's hangs. So a
/// reader takes a permit of its volume's share first, where it waits behind readers of the same device only, and then one
/// of the reserve. (A reserve of one frame, as caches of less than 16 frames have it, cannot be divided.)
/// </remarks>
internal sealed class ReserveFrames
{
    private readonly Rooms _rooms;
    private readonly Permits _permits;
    private readonly ConditionalWeakTable<VolumeMap, Permits> _shares = [];
    private readonly Permits?[] _shareOf;
    private readonly Stack<int> _frames = new();
    private TinyLock _lock;

    public ReserveFrames(Rooms rooms)
    {
        _rooms = rooms;
        _permits = new Permits(rooms.Plan.Reserve);
        _shareOf = new Permits?[rooms.Plan.Reserve];
        for (var frame = 0; frame < rooms.Plan.Reserve; frame++)
        {
            _frames.Push(frame);
        }
    }

    /// <summary>Takes a frame for a read of a file.</summary>
    public async ValueTask<int> TakeAsync(FileMapping file, bool blocking, CancellationToken cancellationToken)
    {
        var share = _shares.GetValue(file.Volume, _ => new Permits(Math.Max(1, _rooms.Plan.Reserve - 1)));
        await TakeAsync(share, blocking, cancellationToken).ConfigureAwait(false);
        try
        {
            await TakeAsync(_permits, blocking, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            share.Give();
            throw;
        }

        _lock.Enter();
        var frame = _frames.Pop();
        _shareOf[frame] = share;
        _lock.Exit();
        _rooms.Guard?.Take(frame);
        _rooms.Pool.Prepare(frame, file.Account.Owner);
        return frame;
    }

    public void Give(int frame)
    {
        _rooms.Guard?.Free(frame);
        _lock.Enter();
        _frames.Push(frame);
        var share = _shareOf[frame]!;
        _lock.Exit();
        _permits.Give();
        share.Give();
    }

    private static ValueTask TakeAsync(Permits permits, bool blocking, CancellationToken cancellationToken)
    {
        if (permits.TryTake())
        {
            return ValueTask.CompletedTask;
        }

        if (!blocking)
        {
            return new ValueTask(permits.TakeAsync(cancellationToken));
        }

        permits.Take();
        return ValueTask.CompletedTask;
    }
}
