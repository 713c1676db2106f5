using SharedPageCache.Concurrency;

namespace SharedPageCache.Frames;

/// <summary>
/// The free frames: a lock-free stack (R. K. Treiber, 1986) linked through the headers.
/// </summary>
/// <remarks>
/// The head word holds a frame number and a tag that every change advances, so a pop that slept while its frame went away
/// and came back fails its compare-and-swap. Headers are never unmapped, so reading the link of a frame that somebody else
/// has just popped is harmless. The frame that comes back last goes out first: its bytes are the warmest.
/// </remarks>
internal sealed class FreeList(FrameTable frames)
{
    private const long FrameMask = uint.MaxValue;
    private const long TagUnit = 1L << 32;

    private long _head = FrameMask;
    private int _count;

    /// <summary>How many frames are free; momentarily off by those in flight.</summary>
    public int Count => Atomic.LoadAcquire(ref _count);

    public void Push(int frame)
    {
        ref var header = ref frames[frame];
        while (true)
        {
            var head = Atomic.LoadAcquire(ref _head);
            Atomic.StoreRelease(ref header.Following, (int)(uint)(head & FrameMask));
            var next = (head + TagUnit & ~FrameMask) | (uint)frame;
            if (Atomic.CompareExchange(ref _head, next, head) == head)
            {
                Atomic.Increment(ref _count);
                return;
            }
        }
    }

    public bool TryPop(out int frame)
    {
        while (true)
        {
            var head = Atomic.LoadAcquire(ref _head);
            frame = (int)(uint)(head & FrameMask);
            if (frame < 0)
            {
                return false;
            }

            var following = Atomic.LoadAcquire(ref frames[frame].Following);
            var next = (head + TagUnit & ~FrameMask) | (uint)following;
            if (Atomic.CompareExchange(ref _head, next, head) == head)
            {
                Atomic.Decrement(ref _count);
                return true;
            }
        }
    }
}
