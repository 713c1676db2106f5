using System.Diagnostics;
using SharedPageCache.Frames;

namespace SharedPageCache.Eviction;

/// <summary>
/// LRU, as near as it can be had without a lock or an atomic operation on a hit: frames stand in the order of their last use
/// that the policy was told of, and the one at the old end goes, unless it was used without the policy having been told.
/// </summary>
/// <remarks>
/// <para>
/// <b>Where the order comes from.</b> True LRU writes to a shared list on every hit. Here every frame has the sampled bit, so
/// a hit leaves the frame's number in a buffer of its processor (<see cref="HitSamples"/>), and the policy empties the buffers
/// before it takes in or picks a frame: the way of BP-Wrapper (X. Ding, S. Jiang, X. Zhang, ICDE 2009) and of Caffeine's read
/// buffers. A buffer has 1,022 entries (fewer in a cache of less than 8,192 frames); what comes while it is full is lost to the order, not to the policy: the frame's use count
/// is raised all the same, and a frame that stands at the old end with a use that nobody told of is young again, as with CLOCK.
/// </para>
/// <code>
///             Admit                        PickVictim, unused
///   outside ─────────▶ list (youngest) ───────────────────────▶ picked ──Evicted──▶ outside
///      ▲                │    ▲  ▲  ▲                              │
///      └──── Remove ────┘    │  │  └────────── PutBack ───────────┘
///                            │  └── told of a hit: youngest, the use count becomes zero
///                            └───── PickVictim, used though not told: youngest, the use count becomes zero
/// </code>
/// <para>
/// <b>How far it is from LRU.</b> Nothing, while one thread makes no more hits between two misses than a buffer holds. With more, the order of those
/// beyond is CLOCK's. The hits of several processors are taken processor by processor, so their order among each other is lost
/// within the time between two misses. Measured against an exact LRU on the public traces: see docs/options.md.
/// </para>
/// <para>
/// <b>Costs.</b> No memory beside the headers and the buffers. A hit costs a store to its processor's buffer while that has
/// room, which is the dearest hit of all policies here. Each miss pays for the hits since the last one: amortised O(1).
/// </para>
/// <para>
/// <b>Why have it.</b> It is what everything else is compared with, and where only recency helps nothing beats it. A scan or a loop
/// longer than the cache washes everything out.
/// </para>
/// </remarks>
internal sealed class LruPolicy : IEvictionPolicy
{
    private const byte InList = 1;

    private readonly FrameTable _frames;
    private readonly FrameQueue _list;
    private readonly List<int> _told;

    /// <summary>Makes a policy that holds no frame.</summary>
    /// <param name="frames">The frames; the use counts are read and cleared here, and their hits asked for.</param>
    /// <param name="capacityFrames">How many frames can hold pages at the same time.</param>
    public LruPolicy(FrameTable frames, int capacityFrames)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacityFrames);
        _frames = frames;
        _frames.HearAllHits();
        _told = new List<int>(frames.Samples.MostEntries);
        _list = new FrameQueue(frames, InList);
    }

    public long MetadataBytes => _frames.Samples.Bytes;

    public void Admit(int frame, ulong identityHash)
    {
        Debug.Assert(!_list.Contains(frame), "a frame is admitted once");
        LearnHits();

        // A use that came before the policy had the frame stays: it is one that nobody tells of.
        _frames[frame].Use |= FrameHeader.Sampled;
        _list.Enqueue(frame);
    }

    public int PickVictim()
    {
        LearnHits();
        for (var chances = _list.Count; ; chances--)
        {
            var frame = _list.Dequeue();
            if (frame == FrameQueue.None || chances == 0 || _frames[frame].UseCount == 0)
            {
                return frame;
            }

            EnqueueUnused(frame);
        }
    }

    public void PutBack(int frame) => _list.Enqueue(frame);

    public void Spare(int frame) => _list.Enqueue(frame);

    public void Evicted(int frame, ulong identityHash) =>
        Debug.Assert(!_list.Contains(frame), "only a picked frame is evicted");

    public void Remove(int frame)
    {
        if (_list.Contains(frame))
        {
            _list.Remove(frame);
        }
    }

    public override string ToString() => $"LRU: {_list}";

    /// <summary>What hits have left in the buffers becomes the order. A frame may have left meanwhile, or hold another page.</summary>
    private void LearnHits()
    {
        _frames.Samples.TakeAll(_told);
        foreach (var frame in _told)
        {
            if (_list.Contains(frame))
            {
                _list.Remove(frame);
                EnqueueUnused(frame);
            }
        }

        _told.Clear();
    }

    /// <summary>
    /// Stored, not cleared bit by bit: a hit that raises the count meanwhile may have stored a word without the sampled bit.
    /// </summary>
    private void EnqueueUnused(int frame)
    {
        _frames[frame].Use = FrameHeader.Sampled;
        _frames.ForgetSpares(frame);
        _list.Enqueue(frame);
    }
}
