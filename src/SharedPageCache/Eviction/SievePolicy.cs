using System.Diagnostics;
using SharedPageCache.Frames;

namespace SharedPageCache.Eviction;

/// <summary>
/// SIEVE (Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson, K. V. Rashmi, "SIEVE is Simpler than LRU", NSDI 2024): a queue in the order of
/// coming that nobody ever leaves for being used, and a hand that goes through it from old to young.
/// </summary>
/// <remarks>
/// <para>
/// <b>Principle.</b> The hand clears the use of the frames that it passes and evicts the first that was not used, as CLOCK's does; but a
/// frame that was used stays where it is instead of becoming young. So behind the hand, at the old end, collect those that
/// were used in every round, and the hand spends its time among the young, most of which go quickly.
/// </para>
/// <code>
///                           the hand ──▶ used: cleared, stays
///   oldest  ■ ■ ■ ■ ■ ■ ■ ■ ■ ▲ □ □ □ ■ □  youngest ◀── Admit
///           kept in a round           unused: picked; the hand goes on with the next younger.
///                                     Beyond the youngest it begins again with the oldest.
/// </code>
/// <para>
/// <b>Pages that cannot go</b> are put back where they stood, behind the hand, which comes to them again in its next round.
/// </para>
/// <para>
/// <b>Costs.</b> No memory beside the headers, one position. A step that evicts nothing clears a use count that a hit has raised: an
/// eviction costs amortised O(1) steps. One call makes at most one round and then takes what the hand points at.
/// </para>
/// <para>
/// <b>Why have it.</b> As plain as CLOCK and better on skewed popularity, web traces above all. A scan whose pages are each used once passes by the
/// kept; but one that uses each page a second time stands among them for a round, and a round is long: a change of the popular set
/// takes one to be noticed. A loop longer than the cache hits nothing.
/// </para>
/// </remarks>
internal sealed class SievePolicy : IEvictionPolicy
{
    private const byte InQueue = 1;

    private readonly FrameTable _frames;
    private readonly FrameQueue _queue;

    /// <summary>The frame that the hand points at; none if it has passed the youngest.</summary>
    private int _hand = FrameQueue.None;

    /// <summary>Makes a policy that holds no frame.</summary>
    /// <param name="frames">The frames; the use counts are read and cleared here.</param>
    /// <param name="capacityFrames">How many frames can hold pages at the same time.</param>
    public SievePolicy(FrameTable frames, int capacityFrames)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacityFrames);
        _frames = frames;
        _queue = new FrameQueue(frames, InQueue);
    }

    public long MetadataBytes => 0;

    public void Admit(int frame, ulong identityHash)
    {
        Debug.Assert(!_queue.Contains(frame), "a frame is admitted once");
        _queue.Enqueue(frame);
    }

    public int PickVictim()
    {
        for (var chances = _queue.Count; ; chances--)
        {
            var frame = _hand == FrameQueue.None ? _queue.Oldest : _hand;
            if (frame == FrameQueue.None)
            {
                return FrameQueue.None;
            }

            _hand = _queue.YoungerThan(frame);
            if (chances == 0 || _frames[frame].Use == 0)
            {
                _queue.Remove(frame);
                return frame;
            }

            _frames[frame].Use = 0;
            _frames.ForgetSpares(frame);
        }
    }

    public void PutBack(int frame) => _queue.EnqueueBefore(_hand, frame);

    public void Spare(int frame) => PutBack(frame);

    public void Evicted(int frame, ulong identityHash) =>
        Debug.Assert(!_queue.Contains(frame), "only a picked frame is evicted");

    public void Remove(int frame)
    {
        if (_queue.Contains(frame))
        {
            _hand = frame == _hand ? _queue.YoungerThan(frame) : _hand;
            _queue.Remove(frame);
        }
    }

    public override string ToString() => $"SIEVE: {_queue}, hand {_hand}";
}
