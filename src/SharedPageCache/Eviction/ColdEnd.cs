using System.Diagnostics;
using SharedPageCache.Frames;

namespace SharedPageCache.Eviction;

/// <summary>
/// The cold end before a policy: frames whose users have said that they will not need them again go first, in the order of their
/// coming, and the policy never hears of them. A frame that was used meanwhile becomes a newcomer of the policy.
/// </summary>
/// <remarks>
/// <code>
///              AdmitCold                         PickVictim, unused
///   outside ───────────────▶ cold ──────────────────────────────────────▶ picked ──Evicted──▶ outside
///      │                      ▲ │ PickVictim, used; Spare                    ▲
///      │        Demote        │ ▼                                            │
///      └────── Admit ──────▶ policy ─────────────────────────────────────────┘
///                                     PickVictim, nothing cold
/// </code>
/// <para>
/// <b>What it is for.</b> A scan that says so (<see cref="ReadHint.Once"/>) takes the frames of what it has read before: it
/// costs the working set no more than it has in hand at a time. Since the policy never hears of such a page it leaves no ghost and no count,
/// so scans do not overload a sketch either.
/// </para>
/// <para>
/// <b>Pages that cannot go.</b> A cold frame that is put back becomes the youngest of the cold; when sixteen in a row, or all of
/// them, were put back the policy is asked, and after sixteen of its own the cold end again: pinned frames on one side never hide
/// those of the other.
/// </para>
/// <para>
/// <b>Costs.</b> A queue through the headers. One call passes at most <see cref="MostPassed"/> used frames on to the policy, each once.
/// </para>
/// </remarks>
internal sealed class ColdEnd : IEvictionPolicy
{
    /// <summary>Marks in <see cref="FrameHeader.Queue"/> that no policy uses.</summary>
    private const byte InCold = 14;
    private const byte Picked = 15;

    private const int Patience = 16;
    private const int MostPassed = 64;

    private readonly FrameTable _frames;
    private readonly IEvictionPolicy _policy;
    private readonly FrameQueue _cold;

    /// <summary>Whether the cold end has had its chance, and how many frames in a row were put back by whose turn it is.</summary>
    private bool _isPolicysTurn;
    private int _putBacks;

    public ColdEnd(FrameTable frames, IEvictionPolicy policy)
    {
        (_frames, _policy) = (frames, policy);
        _cold = new FrameQueue(frames, InCold);
    }

    /// <summary>How many frames are at the cold end.</summary>
    public int Count => _cold.Count;

    public long MetadataBytes => _policy.MetadataBytes;

    public void Admit(int frame, ulong identityHash) => _policy.Admit(frame, identityHash);

    /// <summary>Takes in a frame at the cold end.</summary>
    public void AdmitCold(int frame) => _cold.Enqueue(frame);

    /// <summary>Moves a frame from the policy to the cold end.</summary>
    /// <returns>Whether the policy had it.</returns>
    public bool TryDemote(int frame)
    {
        ref var header = ref _frames[frame];
        if (header.Queue is 0 or InCold)
        {
            return false;
        }

        _policy.Remove(frame);
        Debug.Assert(header.Queue == 0, "a frame with a mark was the policy's, and is no more");
        header.Use = 0;
        _cold.Enqueue(frame);
        return true;
    }

    public int PickVictim()
    {
        if (!_isPolicysTurn && PickUnused() is var unused && unused != FrameQueue.None)
        {
            return unused;
        }

        var frame = _policy.PickVictim();
        return frame == FrameQueue.None && _cold.Dequeue() is var cold && cold != FrameQueue.None ? Pick(cold) : frame;
    }

    public void PutBack(int frame)
    {
        var isCold = _frames[frame].Queue == Picked;
        if (isCold)
        {
            _cold.Enqueue(frame);
        }
        else
        {
            _policy.PutBack(frame);
        }

        if (isCold != _isPolicysTurn && ++_putBacks >= (isCold ? Math.Min(Patience, _cold.Count) : Patience))
        {
            (_isPolicysTurn, _putBacks) = (!_isPolicysTurn, 0);
        }
    }

    public void Spare(int frame)
    {
        if (_frames[frame].Queue == Picked)
        {
            _frames[frame].Queue = 0;
            _policy.Admit(frame, HashOf(frame));
        }
        else
        {
            _policy.Spare(frame);
        }
    }

    public void Evicted(int frame, ulong identityHash)
    {
        (_isPolicysTurn, _putBacks) = (false, 0);
        if (_frames[frame].Queue == Picked)
        {
            _frames[frame].Queue = 0;
        }
        else
        {
            _policy.Evicted(frame, identityHash);
        }
    }

    public void Remove(int frame)
    {
        if (_cold.Contains(frame))
        {
            _cold.Remove(frame);
        }
        else
        {
            _policy.Remove(frame);
        }
    }

    public override string ToString() => $"{_policy}; cold {_cold}";

    /// <summary>The first cold frame that nobody has used; those that somebody has are passed on.</summary>
    private int PickUnused()
    {
        for (var passed = 0; passed < MostPassed && _cold.Dequeue() is var frame && frame != FrameQueue.None; passed++)
        {
            if (_frames[frame].UseCount == 0)
            {
                return Pick(frame);
            }

            _policy.Admit(frame, HashOf(frame));
        }

        return FrameQueue.None;
    }

    private int Pick(int frame)
    {
        _frames[frame].Queue = Picked;
        return frame;
    }

    private ulong HashOf(int frame) => _frames.IdentityOf(frame) is { IsSome: true } identity ? identity.Hash : 0;
}
