using System.Diagnostics;
using SharedPageCache.Frames;

namespace SharedPageCache.Eviction;

/// <summary>
/// A first-in first-out queue of frames, doubly linked through their headers, so that it owns no memory and a frame can
/// leave from the middle. Every operation costs O(1). A frame is in the queue whose mark its header carries.
/// </summary>
/// <remarks>
/// <code>
///   _oldest                               _youngest
///      │    Following ─▶     Following ─▶     │
///   frame 7 ─────────── frame 2 ─────────── frame 9
///              ◀─ Previous         ◀─ Previous
/// </code>
/// Not thread-safe: the owner is under the reclaimer's lock. A frame outside has both links at -1 until the free list
/// takes them over.
/// </remarks>
internal sealed class FrameQueue
{
    public const int None = -1;

    private readonly FrameTable _frames;
    private readonly byte _mark;
    private int _oldest = None;
    private int _youngest = None;

    /// <summary>Makes an empty queue.</summary>
    /// <param name="frames">The frames whose headers hold the links.</param>
    /// <param name="mark">What <see cref="FrameHeader.Queue"/> is in this queue: not zero and no other's.</param>
    public FrameQueue(FrameTable frames, byte mark)
    {
        ArgumentOutOfRangeException.ThrowIfZero(mark);
        _frames = frames;
        _mark = mark;
    }

    public int Count { get; private set; }

    /// <summary>The frame that has been in the queue for longest, or <see cref="None"/>.</summary>
    public int Oldest => _oldest;

    public bool Contains(int frame) => _frames[frame].Queue == _mark;

    /// <summary>Takes in a frame that is in no queue, as the youngest.</summary>
    public void Enqueue(int frame)
    {
        ref var header = ref _frames[frame];
        Debug.Assert(header.Queue != _mark, "the frame is in the queue already");
        header.Queue = _mark;
        header.Previous = _youngest;
        header.Following = None;
        if (_youngest == None)
        {
            _oldest = frame;
        }
        else
        {
            _frames[_youngest].Following = frame;
        }

        _youngest = frame;
        Count++;
        AssertInvariants();
    }

    /// <summary>The frame that came next after one that is in this queue, or <see cref="None"/>.</summary>
    public int YoungerThan(int frame) => _frames[frame].Following;

    /// <summary>Takes in a frame that is in no queue, as next older than another; as the youngest if there is no other.</summary>
    public void EnqueueBefore(int younger, int frame)
    {
        if (younger == None)
        {
            Enqueue(frame);
            return;
        }

        ref var header = ref _frames[frame];
        ref var next = ref _frames[younger];
        Debug.Assert(header.Queue != _mark, "the frame is in the queue already");
        Debug.Assert(next.Queue == _mark, "the other frame is in this queue");
        header.Queue = _mark;
        header.Previous = next.Previous;
        header.Following = younger;
        if (next.Previous == None)
        {
            _oldest = frame;
        }
        else
        {
            _frames[next.Previous].Following = frame;
        }

        next.Previous = frame;
        Count++;
        AssertInvariants();
    }

    /// <summary>Takes out the oldest frame.</summary>
    /// <returns>The frame, or <see cref="None"/> if the queue is empty.</returns>
    public int Dequeue()
    {
        var frame = _oldest;
        if (frame != None)
        {
            Remove(frame);
        }

        return frame;
    }

    /// <summary>Takes out a frame that is in this queue. Its mark becomes zero.</summary>
    public void Remove(int frame)
    {
        ref var header = ref _frames[frame];
        Debug.Assert(header.Queue == _mark, "the frame is not in this queue");
        var older = header.Previous;
        var younger = header.Following;
        if (older == None)
        {
            _oldest = younger;
        }
        else
        {
            _frames[older].Following = younger;
        }

        if (younger == None)
        {
            _youngest = older;
        }
        else
        {
            _frames[younger].Previous = older;
        }

        header.Queue = 0;
        header.Previous = None;
        header.Following = None;
        Count--;
        AssertInvariants();
    }

    public override string ToString() => $"{Count} frames, oldest {_oldest}, youngest {_youngest}";

    [Conditional("DEBUG")]
    private void AssertInvariants()
    {
        Debug.Assert(Count == 0 == (_oldest == None), "an empty queue has no oldest frame, any other has one");
        Debug.Assert(Count == 0 == (_youngest == None), "an empty queue has no youngest frame, any other has one");
        Debug.Assert(_oldest == None || (Contains(_oldest) && _frames[_oldest].Previous == None), "nothing is older");
        Debug.Assert(
            _youngest == None || (Contains(_youngest) && _frames[_youngest].Following == None), "nothing is younger");
        Debug.Assert(Count != 1 || _oldest == _youngest, "a single frame is both ends");
    }
}
