using System.Diagnostics;
using SharedPageCache.Frames;

namespace SharedPageCache.Eviction;

/// <summary>
/// S3-FIFO (J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi, "FIFO Queues are All You Need for Cache Eviction", SOSP
/// 2023): a small queue on probation, a main queue of what was used there, and ghosts of what was not.
/// </summary>
/// <remarks>
/// <para>
/// <b>Principle.</b> Most pages that come are never used again, or not before they are evicted. So a newcomer gets only
/// a tenth of the cache to prove itself; what leaves that tenth unused leaves the cache, quickly, and costs the main
/// queue nothing. Who was thrown out too early is recognised by its ghost when it comes back, and goes to the main
/// queue at once.
/// </para>
/// <code>
///                    Admit, no ghost            oldest, used less than twice: picked
///   outside ───────────────────────────▶ small ────────────────────────────────────────▶ outside, ghost left
///      │                                   │ oldest, used twice or more
///      │                                   ▼
///      └── Admit, ghost found (taken) ───▶ main ───────────────────────────────────────▶ outside, no ghost
///                                          ▲  │  oldest, unused: picked
///                                          └──┘  oldest, used: lowered by one and young again
/// </code>
/// <para>
/// <b>Which queue gives.</b> The main queue if it holds more than its nine tenths, else the small one. When the oldest
/// small frames are promoted instead of picked the main queue outgrows its share and gives next.
/// </para>
/// <para>
/// <b>While the cache fills</b> all newcomers go to the small queue, which may then hold the whole cache: with room to
/// spare nobody's probation ends. It shrinks to its tenth as the main queue fills. (libCacheSim since 2024 fills the
/// main queue first instead. That favours whatever is read first, for as long as little is promoted.)
/// </para>
/// <para>
/// <b>Pages that cannot go.</b> A frame that is put back keeps its standing: it becomes the youngest of the queue that
/// it was picked from, and that queue gives again, so that a few pinned newcomers cost the main queue nothing. When
/// sixteen in a row, or all of the queue, were put back, it is the other queue's turn. So a queue full of pinned frames
/// never hides an evictable frame in the other one: of n frames that nobody uses each is offered within 2 n picks that
/// are all put back.
/// </para>
/// <para>
/// <b>Costs.</b> Two links and a byte in the header, and 5.8 bytes for the ghosts (<see cref="GhostSet"/>), as many as
/// the main queue may hold. A hit writes only the use count, up to three. A step of <see cref="PickVictim"/> that picks
/// nothing promotes a frame, once in its stay, or uses up one hit, so a pick costs amortised O(1). One call passes each
/// main frame at most <see cref="FrameTable.MaxUse"/> times and then takes the oldest as it is: hits that keep raising
/// counts meanwhile cannot hold it up.
/// </para>
/// <para>
/// <b>Where it is weak.</b> A loop somewhat larger than the cache, like with LRU and CLOCK: each page comes back after
/// its ghost is gone or pushes out a page that was to come next.
/// </para>
/// </remarks>
internal sealed class S3FifoPolicy : IEvictionPolicy
{
    /// <summary>The share of the small queue, as a divisor of the capacity: the paper's 10 %.</summary>
    private const int SmallDivisor = 10;

    /// <summary>
    /// How often a page must be used on probation, the load not counted, to be promoted. One use is often the second
    /// half of the same access.
    /// </summary>
    private const int PromotionUse = 2;

    /// <summary>How many picked frames in a row one queue may get back before the other is asked.</summary>
    private const int Patience = 16;

    private readonly FrameTable _frames;
    private readonly FrameQueue _small;
    private readonly FrameQueue _main;
    private readonly GhostSet _ghosts;
    private readonly int _mainShare;

    /// <summary>The standing of the frame that was put back last; outside after an eviction.</summary>
    private Standing _stuck;

    /// <summary>How many frames of that standing were put back in a row.</summary>
    private int _putBacks;

    /// <summary>Makes a policy that holds no frame.</summary>
    /// <param name="frames">The frames; the use counts are read and lowered here.</param>
    /// <param name="capacityFrames">How many frames can hold pages at the same time; the queues share these.</param>
    public S3FifoPolicy(FrameTable frames, int capacityFrames)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacityFrames);
        _frames = frames;
        _small = new FrameQueue(frames, (byte)Standing.Small);
        _main = new FrameQueue(frames, (byte)Standing.Main);
        _mainShare = capacityFrames - Math.Max(1, capacityFrames / SmallDivisor);
        _ghosts = new GhostSet(Math.Max(1, _mainShare));
    }

    /// <summary>Where a frame stands; kept in <see cref="FrameHeader.Queue"/>.</summary>
    private enum Standing : byte
    {
        Outside = 0,
        Small = 1,
        Main = 2,
        PickedFromSmall = 3,
        PickedFromMain = 4,
    }

    public long MetadataBytes => _ghosts.Bytes;

    public void Admit(int frame, ulong identityHash)
    {
        Debug.Assert(!_small.Contains(frame) && !_main.Contains(frame), "a frame is admitted once");
        var returns = identityHash != 0 && _ghosts.TryTake(identityHash);
        (returns ? _main : _small).Enqueue(frame);
    }

    public int PickVictim()
    {
        var mainFirst = _stuck switch
        {
            Standing.PickedFromSmall => _putBacks >= Math.Min(Patience, _small.Count),
            Standing.PickedFromMain => _putBacks < Math.Min(Patience, _main.Count),
            _ => _main.Count > _mainShare,
        };

        var frame = mainFirst ? PickFromMain() : FrameQueue.None;
        if (frame == FrameQueue.None)
        {
            frame = PickFromSmall();
        }

        // The small queue may have promoted all that it had.
        return frame == FrameQueue.None ? PickFromMain() : frame;
    }

    public void PutBack(int frame)
    {
        var standing = StandingOf(frame);
        Debug.Assert(
            standing is Standing.PickedFromSmall or Standing.PickedFromMain, "only a picked frame is put back");
        _putBacks = standing == _stuck ? _putBacks + 1 : 1;
        _stuck = standing;
        (standing == Standing.PickedFromMain ? _main : _small).Enqueue(frame);
    }

    public void Spare(int frame) => _main.Enqueue(frame);

    public void Evicted(int frame, ulong identityHash)
    {
        Debug.Assert(!_small.Contains(frame) && !_main.Contains(frame), "only a picked frame is evicted");
        if (StandingOf(frame) == Standing.PickedFromSmall && identityHash != 0)
        {
            _ghosts.Add(identityHash);
        }

        _frames[frame].Queue = (byte)Standing.Outside;
        _stuck = Standing.Outside;
    }

    public void Remove(int frame)
    {
        if (_small.Contains(frame))
        {
            _small.Remove(frame);
        }
        else if (_main.Contains(frame))
        {
            _main.Remove(frame);
        }
    }

    public override string ToString() => $"S3-FIFO: small {_small}; main {_main}; {_ghosts.Count} ghosts";

    private int PickFromSmall()
    {
        while (true)
        {
            var frame = _small.Dequeue();
            if (frame == FrameQueue.None)
            {
                return FrameQueue.None;
            }

            ref var header = ref _frames[frame];
            if (header.Use < PromotionUse)
            {
                header.Queue = (byte)Standing.PickedFromSmall;
                return frame;
            }

            header.Use = 0;
            _frames.ForgetSpares(frame);
            _main.Enqueue(frame);
        }
    }

    private int PickFromMain()
    {
        for (var chances = (long)_main.Count * FrameTable.MaxUse; ; chances--)
        {
            var frame = _main.Dequeue();
            if (frame == FrameQueue.None)
            {
                return FrameQueue.None;
            }

            ref var header = ref _frames[frame];
            var use = header.Use;
            if (use == 0 || chances == 0)
            {
                header.Queue = (byte)Standing.PickedFromMain;
                return frame;
            }

            header.Use = (byte)(use - 1);
            _frames.ForgetSpares(frame);
            _main.Enqueue(frame);
        }
    }

    private Standing StandingOf(int frame) => (Standing)_frames[frame].Queue;
}
