using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Frames;

namespace SharedPageCache.Eviction;

/// <summary>
/// Keeps leases from holding more than half of the frames: who pins everything and then waits for a frame would wait for
/// itself.
/// </summary>
/// <remarks>
/// A frame is charged by one bit, set by the first lease and left set when the lease ends, so that leasing a hot page
/// costs no more than its pin. Only when the count reaches the limit are the bits of frames without pins cleared. A sweep
/// clears the bit (full fence), then looks at the pins and sets it again if there are any; a lease pins (full fence), then
/// looks at the bit: of the two at least one sees the other, so no leased frame stays uncharged.
/// <para>
/// <b>Write leases</b> hold a frame that is in no table and that nobody pins: they are counted, one reserved each, before
/// the frame is taken. Both kinds add first (full fence) and look at the sum then; who finds it overdrawn gives back.
/// </para>
/// </remarks>
internal sealed class LeaseQuota(FrameTable frames, FrameBits leased, int limit)
{
    private int _cursor;
    private int _reserved;

    public int Limit => limit;

    /// <summary>The reserved ones first: what becomes a charged frame between the two looks is counted twice then, and never missed.</summary>
    public long Charged => Atomic.LoadAcquire(ref _reserved) + leased.Count;

    /// <summary>Charges one frame that the caller is going to take for itself.</summary>
    public bool TryReserve()
    {
        if (!HasRoom())
        {
            return false;
        }

        // Several may have looked at the same room: who finds it overdrawn gives back.
        Atomic.Increment(ref _reserved);
        if (Charged <= limit)
        {
            return true;
        }

        GiveReserved();
        return false;
    }

    public void GiveReserved() => Atomic.Decrement(ref _reserved);

    /// <summary>Charges a frame that the caller has pinned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryCharge(int frame) => leased.IsSet(frame) || TryChargeFirst(frame);

    /// <summary>The first lease of a frame since its bit was cleared.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryChargeFirst(int frame)
    {
        // A place first, then the bit: who sees a bit takes the frame for charged, so none is set that may have to go again.
        if (!TryReserve())
        {
            return false;
        }

        leased.Set(frame);
        GiveReserved();
        return true;
    }

    private bool HasRoom()
    {
        if (Charged < limit)
        {
            return true;
        }

        Sweep();
        return Charged < limit;
    }

    /// <summary>Clears bits of frames that nobody pins, from where the last sweep ended, until some room is made.</summary>
    private void Sweep()
    {
        var room = Math.Max(1, limit / 8);
        var start = Atomic.LoadAcquire(ref _cursor);
        for (var step = 0; step < frames.Count && room > 0; step++)
        {
            var frame = (start + step) % frames.Count;
            if (leased.IsSet(frame) && frames[frame].PinsAcquire == 0)
            {
                leased.Clear(frame);
                if (frames[frame].PinsAcquire != 0)
                {
                    leased.Set(frame);
                }
                else
                {
                    room--;
                }
            }

            Atomic.StoreRelease(ref _cursor, frame);
        }
    }
}
