using SharedPageCache.Concurrency;

namespace SharedPageCache.Frames;

/// <summary>
/// Frames that have come free and wait before they hold another page, oldest first: so a late write meets poison and nobody's
/// page. Holds no more than its depth, and gives even these away before a fault goes without a frame.
/// </summary>
internal sealed class Quarantine(int depth)
{
    private readonly Queue<int> _frames = new(depth + 1);
    private TinyLock _lock;
    private int _count;

    /// <summary>How many frames wait.</summary>
    public int Count => Atomic.LoadAcquire(ref _count);

    public static int DepthFor(int frameCount) => Math.Clamp(frameCount / 8, 1, 256);

    public void Enter(int frame)
    {
        _lock.Enter();
        _frames.Enqueue(frame);
        Atomic.StoreRelease(ref _count, _frames.Count);
        _lock.Exit();
    }

    /// <summary>Takes the oldest frame out: if there are more than may wait, or at any rate.</summary>
    public bool TryLeave(bool early, out int frame)
    {
        frame = -1;
        _lock.Enter();
        var leaves = _frames.Count > (early ? 0 : depth) && _frames.TryDequeue(out frame);
        Atomic.StoreRelease(ref _count, _frames.Count);
        _lock.Exit();
        return leaves;
    }
}
