using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Memory;

namespace SharedPageCache.Frames;

/// <summary>One flag a frame, set and cleared atomically, with the number of flags that are set.</summary>
internal sealed class FrameBits(int frameCount)
{
    private readonly NativeArray<long> _words = new((frameCount + 63) / 64);
    private long _count;

    public long Count => Atomic.LoadAcquire(ref _count);

    public long Bytes => _words.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsSet(int frame) => (Atomic.LoadAcquire(ref _words[frame >> 6]) & Bit(frame)) != 0;

    /// <summary>Sets the flag of a frame; true for the one caller who set it.</summary>
    public bool Set(int frame)
    {
        if (IsSet(frame) || (Atomic.Or(ref _words[frame >> 6], Bit(frame)) & Bit(frame)) != 0)
        {
            return false;
        }

        Atomic.Add(ref _count, 1);
        return true;
    }

    public void Clear(int frame)
    {
        if (IsSet(frame) && (Atomic.And(ref _words[frame >> 6], ~Bit(frame)) & Bit(frame)) != 0)
        {
            Atomic.Add(ref _count, -1);
        }
    }

    private static long Bit(int frame) => 1L << (frame & 63);
}
