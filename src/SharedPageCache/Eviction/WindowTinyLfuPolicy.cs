using System.Diagnostics;
using SharedPageCache.Frames;

namespace SharedPageCache.Eviction;

/// <summary>
/// W-TinyLFU (G. Einziger, R. Friedman, B. Manes, ACM ToS 2017) over CLOCK, with the window tuned by miniature
/// simulations: newcomers stand in a window; who leaves it unused must have been asked for more often than the oldest unused
/// page of the main ring, or goes.
/// </summary>
/// <remarks>
/// <para>
/// <b>Principle.</b> No order of queues is right everywhere: where the past repeats (loops, skewed popularity) what was asked
/// for most often should stay, and where it does not, what came last. Frequency decides about admission to the main ring;
/// the window is for recency; and how much room recency deserves is measured (<see cref="WindowTuner"/>), not guessed.
/// </para>
/// <code>
///                      oldest, used                        oldest, used: counted, young again
///   Admit ──▶ window ─────────────────────────────▶ main ◀─┐
///                │                                   │ │   │
///                │ oldest, unused: asked for more ───┘ └───┘
///                │ often than main's oldest unused?  │
///                ▼ no                                ▼ yes
///              picked                             picked
/// </code>
/// <para>
/// <b>Frequencies without a write on a hit.</b> Hits raise only the two use bits of the frame. The hand that passes a
/// frame adds what it finds to the <see cref="FrequencySketch"/>; each load adds one. So the sketch knows blocks that are
/// not cached, too, and a page that comes back after having been thrown out is recognised without ghosts.
/// </para>
/// <para>
/// <b>Equals stay.</b> A newcomer must have been asked for more often. In a loop longer than the cache all are equal: the
/// pages that were there first stay, and each round hits them all. LRU, CLOCK, ARC and S3-FIFO hit none.
/// </para>
/// <para>
/// <b>Which queue gives.</b> The main ring if it holds more than its share, else the window. Frames that neither has (their pages are on their way, dirty, or
/// at the cold end) count as the window's: a long read takes many before its first page comes, and the main ring must not pay for them.
/// </para>
/// <para>
/// <b>Shares change slowly.</b> When the window is to shrink, or the cache fills, each admission moves a few of the oldest to
/// the main ring; when it is to grow the main ring gives until it has. No call moves more than a few frames.
/// </para>
/// <para>
/// <b>Pages that cannot go</b> (put back because they are pinned) become the youngest of their queue; when sixteen in a row,
/// or all of the queue, were put back it is the other queue's turn, without a comparison.
/// </para>
/// <para>
/// <b>Pages that are spared</b> for those who share them stand in the main ring afterwards; the newcomer that was to take the place of one goes.
/// </para>
/// <para>
/// <b>Costs.</b> Two links and a byte in the header, 5.4 bytes a page for the sketch, 7 KiB for the miniatures (less in
/// small caches). A pick uses up hits or picks: amortised O(1).
/// </para>
/// <para>
/// <b>Where it is weak.</b> When the popular set changes as a whole the old set's counts must fade first; the tuner gives
/// the window more room meanwhile. A page without a block of its own (made of several) has no frequency: it stays by use only.
/// </para>
/// </remarks>
internal sealed class WindowTinyLfuPolicy : IEvictionPolicy
{
    /// <summary>How many picked frames in a row one queue may get back before the other is asked.</summary>
    private const int Patience = 16;

    /// <summary>How often a block must have been asked for to displace another from the main ring: what came once is a scan.</summary>
    public const int LeastAsked = 2;

    /// <summary>How many frames an admission moves from a window that is too large.</summary>
    private const int MovesOfAdmission = 4;

    private readonly FrameTable _frames;
    private readonly FrameQueue _window;
    private readonly FrameQueue _main;
    private readonly FrequencySketch _sketch;
    private readonly WindowTuner _tuner;
    private readonly List<int> _samples = [];
    private readonly int _capacity;

    /// <summary>The standing of the frame that was put back last; outside after an eviction.</summary>
    private Standing _stuck;

    /// <summary>How many frames of that standing were put back in a row.</summary>
    private int _putBacks;

    /// <summary>The last pick from the main ring for a newcomer, and the newcomer: should the former be spared.</summary>
    private int _displaced = FrameQueue.None;
    private int _displacer = FrameQueue.None;

    /// <summary>A newcomer whose comparison is decided against it already.</summary>
    private int _loser = FrameQueue.None;

    /// <summary>Makes a policy that holds no frame.</summary>
    /// <param name="frames">The frames; the use counts are read and lowered here.</param>
    /// <param name="capacityFrames">How many frames can hold pages at the same time; the queues share these.</param>
    public WindowTinyLfuPolicy(FrameTable frames, int capacityFrames)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacityFrames);
        (_frames, _capacity) = (frames, capacityFrames);
        _window = new FrameQueue(frames, (byte)Standing.Window);
        _main = new FrameQueue(frames, (byte)Standing.Main);
        _sketch = new FrequencySketch(capacityFrames);
        _tuner = new WindowTuner(capacityFrames, _sketch);
    }

    /// <summary>Where a frame stands; kept in <see cref="FrameHeader.Queue"/>.</summary>
    private enum Standing : byte
    {
        Outside = 0,
        Window = 1,
        Main = 2,
        PickedFromWindow = 3,
        PickedFromMain = 4,
    }

    public long MetadataBytes => _sketch.Bytes + _tuner.Bytes + _frames.Samples.Bytes;

    public void Admit(int frame, ulong identityHash)
    {
        Debug.Assert(!_window.Contains(frame) && !_main.Contains(frame), "a frame is admitted once");
        LearnSamples();
        _sketch.Add(identityHash, 1);
        ref var header = ref _frames[frame];
        if (_tuner.Samples(identityHash))
        {
            header.Use |= FrameHeader.Sampled;
            _tuner.Reference(identityHash);
        }

        _window.Enqueue(frame);
        var windowFrames = _tuner.WindowFrames;
        for (var moves = 0; moves < MovesOfAdmission && _window.Count > windowFrames && _main.Count < _capacity - windowFrames; moves++)
        {
            Promote(_window.Oldest);
        }
    }

    public int PickVictim()
    {
        LearnSamples();
        var picked = _stuck switch
        {
            Standing.PickedFromWindow => _putBacks < Math.Min(Patience, _window.Count) ? PickFromWindow() : PickFromMain(),
            Standing.PickedFromMain => _putBacks < Math.Min(Patience, _main.Count) ? PickFromMain() : PickFromWindow(),
            _ => Pick(),
        };

        // The queue whose turn it was may be empty.
        return picked != FrameQueue.None ? picked
            : _main.Count > 0 ? PickFromMain() : PickFromWindow();
    }

    public void PutBack(int frame)
    {
        var standing = StandingOf(frame);
        Debug.Assert(standing is Standing.PickedFromWindow or Standing.PickedFromMain, "only a picked frame is put back");
        _putBacks = standing == _stuck ? _putBacks + 1 : 1;
        _stuck = standing;
        (standing == Standing.PickedFromMain ? _main : _window).Enqueue(frame);
    }

    public void Spare(int frame)
    {
        _main.Enqueue(frame);
        if (frame == _displaced && _frames[_displacer].Queue == (byte)Standing.Main)
        {
            // The comparison is decided the other way: the newcomer goes, and not the next of the main ring in its stead.
            _main.Remove(_displacer);
            _window.EnqueueBefore(_window.Oldest, _displacer);
            _loser = _displacer;
        }

        _displaced = FrameQueue.None;
    }

    public void Evicted(int frame, ulong identityHash)
    {
        _loser = frame == _loser ? FrameQueue.None : _loser;
        Debug.Assert(!_window.Contains(frame) && !_main.Contains(frame), "only a picked frame is evicted");
        _frames[frame].Queue = (byte)Standing.Outside;
        _stuck = Standing.Outside;
    }

    public void Remove(int frame)
    {
        if (_window.Contains(frame))
        {
            _window.Remove(frame);
        }
        else if (_main.Contains(frame))
        {
            _main.Remove(frame);
        }
    }

    public override string ToString() => $"W-TinyLFU: window {_window} of {_tuner.WindowFrames}; main {_main}";

    private int Pick()
    {
        var windowFrames = _tuner.WindowFrames;

        // Each promotion uses up a use count; hits that keep raising them meanwhile cannot hold the call up.
        for (var chances = _window.Count; chances >= 0 && _main.Count <= _capacity - windowFrames; chances--)
        {
            var candidate = _window.Oldest;
            if (candidate == FrameQueue.None)
            {
                break;
            }

            if (_frames[candidate].UseCount > 0)
            {
                Harvest(candidate);
                Promote(candidate);
                continue;
            }

            var victim = OldestUnusedOfMain();
            if (victim == FrameQueue.None || candidate == _loser || EstimateOf(candidate) is var asked && (asked < LeastAsked || asked <= EstimateOf(victim)))
            {
                return Take(_window, candidate, Standing.PickedFromWindow);
            }

            Take(_main, victim, Standing.PickedFromMain);
            Promote(candidate);
            (_displaced, _displacer) = (victim, candidate);
            return victim;
        }

        return PickFromMain();
    }

    private int PickFromMain()
    {
        var victim = OldestUnusedOfMain();
        return victim == FrameQueue.None ? FrameQueue.None : Take(_main, victim, Standing.PickedFromMain);
    }

    private int PickFromWindow() =>
        _window.Oldest is var oldest && oldest == FrameQueue.None ? FrameQueue.None : Take(_window, oldest, Standing.PickedFromWindow);

    private int Take(FrameQueue queue, int frame, Standing standing)
    {
        queue.Remove(frame);
        _frames[frame].Queue = (byte)standing;
        return frame;
    }

    private void Promote(int frame)
    {
        _window.Remove(frame);
        _main.Enqueue(frame);
    }

    /// <summary>Turns the main ring until its oldest frame is one that was not used; one round at most.</summary>
    private int OldestUnusedOfMain()
    {
        for (var chances = _main.Count; chances > 0 && _frames[_main.Oldest].UseCount > 0; chances--)
        {
            var frame = _main.Oldest;
            Harvest(frame);
            _main.Remove(frame);
            _main.Enqueue(frame);
        }

        return _main.Oldest;
    }

    /// <summary>What the hits have left in a frame's use count goes to the sketch.</summary>
    private void Harvest(int frame)
    {
        ref var header = ref _frames[frame];
        _sketch.Add(HashOf(frame), header.UseCount);
        header.Use &= FrameHeader.Sampled;
        _frames.ForgetSpares(frame);
    }

    private void LearnSamples()
    {
        _frames.Samples.TakeAll(_samples);
        foreach (var frame in _samples)
        {
            if (HashOf(frame) is var hash && _tuner.Samples(hash))
            {
                _tuner.Reference(hash);
            }
        }

        _samples.Clear();
    }

    private int EstimateOf(int frame) => _sketch.Estimate(HashOf(frame));

    private ulong HashOf(int frame) => _frames.IdentityOf(frame) is { IsSome: true } identity ? identity.Hash : 0;

    private Standing StandingOf(int frame) => (Standing)_frames[frame].Queue;
}
