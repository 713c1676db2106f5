using SharedPageCache.Concurrency;

namespace SharedPageCache.Faults;

/// <summary>
/// The frames that are closed to ordinary reads and leases: buffers for reads around the cache, so that a full cache
/// fails no read. Who finds all of them in use waits; each comes back when its read has been copied out.
/// </summary>
internal sealed class ReserveFrames
{
    private readonly Rooms _rooms;
    private readonly Permits _permits;
    private readonly Stack<int> _frames = new();
    private TinyLock _lock;

    public ReserveFrames(Rooms rooms)
    {
        _rooms = rooms;
        _permits = new Permits(rooms.Plan.Reserve);
        for (var frame = 0; frame < rooms.Plan.Reserve; frame++)
        {
            _frames.Push(frame);
        }
    }

    public async ValueTask<int> TakeAsync(SecurityDomain domain, bool blocking, CancellationToken cancellationToken)
    {
        if (!_permits.TryTake())
        {
            if (blocking)
            {
                _permits.Take();
            }
            else
            {
                await _permits.TakeAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        _lock.Enter();
        var frame = _frames.Pop();
        _lock.Exit();
        _rooms.Pool.Prepare(frame, domain);
        return frame;
    }

    public void Give(int frame)
    {
        _lock.Enter();
        _frames.Push(frame);
        _lock.Exit();
        _permits.Give();
    }
}
