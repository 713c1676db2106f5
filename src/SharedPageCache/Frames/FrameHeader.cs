using System.Runtime.InteropServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Frames;

/// <summary>All that the cache keeps for one frame: 48 bytes, of which a hit reads the first 16.</summary>
/// <remarks>
/// <code>
/// offset size field     written by                              read by
///      0    8 State     the verbs of FrameState                 everybody
///      8    4 Pins      interlocked, by who pins                evictor, unpin
///     12    1 Use       hits, until saturated (racy by design); the policy
///                       the sampled bit: the policy
///     13    1 Queue     the policy, under its lock              the policy
///     14    2 Owner     who takes a free frame; the sweep of a    who takes a free frame, or takes a page over
///                       volume that goes, racy by design
///     16    8 Identity  the owner of a loading frame; negative: who found the frame in the physical table; the write
///                       the stamp of a provisional frame        side
///     24    8 Next      the physical table                      the physical table
///     32    8 Record    the rmap                                the rmap
///     40    4 Previous  the policy, under its lock; free list   the same
///     44    4 Following the policy, under its lock; free list   the same
/// </code>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 48)]
internal struct FrameHeader
{
    public FrameState State;
    public int Pins;
    public byte Use;
    public byte Queue;
    public ushort Owner;
    public long Identity;
    public long Next;
    public long Record;
    public int Previous;
    public int Following;

    /// <summary>In <see cref="Use"/>: hits of this frame are told to the policy. The count is in the other bits.</summary>
    public const byte Sampled = 0x80;

    /// <summary>How often the page was used since the policy looked, until saturated.</summary>
    public readonly int UseCount => Use & ~Sampled;

    public readonly int PinsAcquire => Atomic.LoadAcquire(in Pins);
}
