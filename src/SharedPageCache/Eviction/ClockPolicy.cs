using System.Diagnostics;
using SharedPageCache.Frames;

namespace SharedPageCache.Eviction;

/// <summary>
/// CLOCK (F. J. Corbató, "A Paging Experiment with the Multics System", 1968): frames stand in a circle in the order of
/// their coming; a hand passes over those that were used since it last came by and evicts the first that was not.
/// </summary>
/// <remarks>
/// <para>
/// <b>Shape.</b> The circle is a queue that starts at the hand: passing over a frame moves it from the oldest end to
/// the youngest. This is the form also called second chance or FIFO-reinsertion; it makes the same decisions as a hand
/// on a ring, and a frame can leave from the middle in O(1).
/// </para>
/// <code>
///             Admit                      PickVictim, unused
///   outside ─────────▶ ring (youngest) ─────────────────────▶ picked ──Evicted──▶ outside
///      ▲                 │   ▲  ▲                               │
///      └──── Remove ─────┘   │  └────────── PutBack ────────────┘
///                            └── PickVictim, used: the use count becomes zero
/// </code>
/// <para>
/// <b>One use bit.</b> CLOCK knows only used and unused, so the hand clears the whole use count. Keeping the count and
/// lowering it by one (generalized CLOCK) is another algorithm.
/// </para>
/// <para>
/// <b>Costs.</b> No memory beside the headers. A step that evicts nothing clears a use count that a hit has raised, so
/// an eviction costs amortised O(1) steps. One call makes at most one round and then takes what the hand points at:
/// hits that keep raising counts meanwhile cannot hold it up.
/// </para>
/// <para>
/// <b>Why have it.</b> It is the plainest policy that honours use, it has no parameter, and a working set that fits is
/// kept. A scan longer than the cache washes everything out that was not used during the last round.
/// </para>
/// </remarks>
internal sealed class ClockPolicy : IEvictionPolicy
{
    private const byte InRing = 1;

    private readonly FrameTable _frames;
    private readonly FrameQueue _ring;

    /// <summary>Makes a policy that holds no frame.</summary>
    /// <param name="frames">The frames; the use counts are read and cleared here.</param>
    /// <param name="capacityFrames">How many frames can hold pages at the same time.</param>
    public ClockPolicy(FrameTable frames, int capacityFrames)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacityFrames);
        _frames = frames;
        _ring = new FrameQueue(frames, InRing);
    }

    public long MetadataBytes => 0;

    public void Admit(int frame, ulong identityHash)
    {
        Debug.Assert(!_ring.Contains(frame), "a frame is admitted once");
        _ring.Enqueue(frame);
    }

    public int PickVictim()
    {
        for (var chances = _ring.Count; ; chances--)
        {
            var frame = _ring.Dequeue();
            if (frame == FrameQueue.None || chances == 0 || _frames[frame].Use == 0)
            {
                return frame;
            }

            _frames[frame].Use = 0;
            _frames.ForgetSpares(frame);
            _ring.Enqueue(frame);
        }
    }

    public void PutBack(int frame) => Admit(frame, identityHash: 0);

    public void Spare(int frame) => _ring.Enqueue(frame);

    public void Evicted(int frame, ulong identityHash) =>
        Debug.Assert(!_ring.Contains(frame), "only a picked frame is evicted");

    public void Remove(int frame)
    {
        if (_ring.Contains(frame))
        {
            _ring.Remove(frame);
        }
    }

    public override string ToString() => $"CLOCK: {_ring}";
}
