using SharedPageCache.Concurrency;
using SharedPageCache.Frames;
using SharedPageCache.Memory;
using SharedPageCache.Rmap;

namespace SharedPageCache.Eviction;

/// <summary>
/// The free frames, and what is done to a frame when it comes free and when it is given out: everything of its last
/// tenant is reset here and nowhere else.
/// </summary>
/// <remarks>
/// A frame passes from one security domain to another only after its bytes were zeroed (<see cref="FrameOwner"/>). A frame
/// whose generations are used up goes out of service until a sweep has found no reference to it. In checked mode a frame that comes
/// free is poisoned and waits in the quarantine, and the memory of free frames stays here when the cache is disposed, so that late
/// writes are found.
/// </remarks>
internal sealed class FramePool(
    FrameTable frames, Arena arena, ReverseMap rmap, FrameBits touched, FrameBits leased, FrameGuard? guard = null, Quarantine? quarantine = null)
{
    private readonly FreeList _free = new(frames);
    private readonly Stack<int> _withheld = new();
    private readonly List<int> _retired = [];
    private TinyLock _lock;
    private int _withheldCount;
    private int _retiredCount;
    private int _closed;

    public int FreeCount => _free.Count;

    /// <summary>Frames that wait, in checked mode, before they are free.</summary>
    public int QuarantinedCount => quarantine?.Count ?? 0;

    /// <summary>Frames whose memory was given up for metadata.</summary>
    public int WithheldCount => Atomic.LoadAcquire(ref _withheldCount);

    /// <summary>Frames out of service because their generations are used up.</summary>
    public int RetiredCount => Atomic.LoadAcquire(ref _retiredCount);

    /// <summary>Puts the frames from <paramref name="first"/> on into the pool, when the cache is made.</summary>
    public void Fill(int first)
    {
        for (var frame = frames.Count - 1; frame >= 0; frame--)
        {
            guard?.Begin(frame);
            if (frame >= first)
            {
                _free.Push(frame);
            }
        }
    }

    /// <summary>Takes a free frame for somebody.</summary>
    public bool TryTake(FrameOwner owner, out int frame)
    {
        if (!_free.TryPop(out frame))
        {
            return false;
        }

        guard?.Take(frame);
        Prepare(frame, owner);
        return true;
    }

    /// <summary>Takes a frame for somebody that has not waited its time: before none can be had at all.</summary>
    public bool TryTakeEarly(FrameOwner owner, out int frame)
    {
        frame = -1;
        if (quarantine is null || !quarantine.TryLeave(early: true, out frame))
        {
            return false;
        }

        guard!.Take(frame);
        Prepare(frame, owner);
        return true;
    }

    /// <summary>A frame that was evicted, and reset, for whoever wants one: in checked mode it waits, and the oldest goes.</summary>
    /// <returns>False if no frame has waited long enough.</returns>
    public bool TryPass(ref int frame)
    {
        if (quarantine is null)
        {
            return true;
        }

        guard!.Free(frame);
        quarantine.Enter(frame);
        if (!quarantine.TryLeave(early: false, out frame))
        {
            return false;
        }

        guard.Take(frame);
        return true;
    }

    /// <summary>
    /// Makes a frame that the caller has just got ready for its next owner. For nobody (the bytes are not going to be used)
    /// it is left as it is.
    /// </summary>
    public void Prepare(int frame, FrameOwner owner)
    {
        ref var header = ref frames[frame];
        if (header.Owner == owner.Tag || owner == FrameOwner.Nobody)
        {
            return;
        }

        if (header.Owner != FrameOwner.Nobody.Tag)
        {
            arena.Span(frame).Clear();
        }

        header.Owner = owner.Tag;
    }

    /// <summary>
    /// An owner is gone and its tag may be given to another: its frames are zeroed before anybody gets them. A frame that
    /// changes hands at this very moment may be marked although it is another's by now, and is then zeroed once in vain.
    /// </summary>
    public void Disown(FrameOwner owner)
    {
        for (var frame = 0; frame < frames.Count; frame++)
        {
            ref var header = ref frames[frame];
            if (header.Owner == owner.Tag)
            {
                header.Owner = FrameOwner.Unknown.Tag;
            }
        }
    }

    /// <summary>Resets a frame whose tenancy has ended. The caller is its only owner.</summary>
    /// <returns>False if the frame went out of service instead.</returns>
    public bool Reset(int frame)
    {
        ref var header = ref frames[frame];
        guard?.End(frame);
        rmap.Clear(frame);
        touched.Clear(frame);
        leased.Clear(frame);
        frames.SetIdentity(frame, default);
        header.Use = 0;
        frames.ForgetSpares(frame);
        if (header.State.Load().Generation < FrameState.LastGeneration)
        {
            return true;
        }

        header.State.Retire();
        _lock.Enter();
        _retired.Add(frame);
        Atomic.StoreRelease(ref _retiredCount, _retired.Count);
        _lock.Exit();
        return false;
    }

    /// <summary>Resets a frame and puts it on the free list.</summary>
    public void Return(int frame)
    {
        if (Reset(frame))
        {
            Push(frame);
        }
    }

    /// <summary>Puts a frame back that was taken and never used.</summary>
    public void Push(int frame)
    {
        if (quarantine is not null)
        {
            guard!.Free(frame);
            quarantine.Enter(frame);
            while (quarantine.TryLeave(early: false, out var oldest))
            {
                guard.CheckFree(oldest, "when it left the quarantine");
                _free.Push(oldest);
            }

            return;
        }

        if (Atomic.LoadAcquire(ref _closed) != 0)
        {
            arena.Decommit(frame);
        }

        _free.Push(frame);
    }

    /// <summary>Gives up a frame's memory for as long as metadata needs the room. The caller owns the frame.</summary>
    public void Withhold(int frame)
    {
        arena.Decommit(frame);
        _lock.Enter();
        _withheld.Push(frame);
        Atomic.StoreRelease(ref _withheldCount, _withheld.Count);
        _lock.Exit();
    }

    /// <summary>Brings a withheld frame back into service.</summary>
    public bool TryReadmit()
    {
        _lock.Enter();
        var any = _withheld.TryPop(out var frame);
        Atomic.StoreRelease(ref _withheldCount, _withheld.Count);
        _lock.Exit();
        if (any)
        {
            guard?.Free(frame);
            _free.Push(frame);
        }

        return any;
    }

    /// <summary>Takes all retired frames, for a sweep.</summary>
    public int[] TakeRetired()
    {
        _lock.Enter();
        int[] taken = [.. _retired];
        _retired.Clear();
        Atomic.StoreRelease(ref _retiredCount, 0);
        _lock.Exit();
        return taken;
    }

    /// <summary>A sweep has found no reference to a retired frame.</summary>
    public void Renew(int frame)
    {
        frames[frame].State.Renew();
        guard?.Free(frame);
        _free.Push(frame);
    }

    /// <summary>
    /// The cache is disposed: the memory of all free frames goes to the system, and that of every frame that comes back
    /// from now on.
    /// </summary>
    public void Close()
    {
        Atomic.Exchange(ref _closed, 1);
        if (guard is not null)
        {
            return;
        }

        var free = new List<int>();
        while (_free.TryPop(out var frame))
        {
            free.Add(frame);
        }

        free.Sort();
        for (var i = 0; i < free.Count;)
        {
            var first = i;
            for (i++; i < free.Count && free[i] == free[i - 1] + 1; i++)
            {
            }

            arena.Decommit(free[first], i - first);
        }

        free.ForEach(_free.Push);
    }
}
