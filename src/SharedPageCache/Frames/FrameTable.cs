using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;
using SharedPageCache.Memory;

namespace SharedPageCache.Frames;

/// <summary>
/// The headers of all frames. Frames never move and headers are never unmapped while the table is reachable, so any
/// thread may look at any header at any time and judge afterwards, by generation, whether what it saw still holds.
/// </summary>
internal sealed class FrameTable
{
    /// <summary>Two use bits: enough for S3-FIFO and CLOCK, and soon saturated, so that a hot page is not written.</summary>
    public const int MaxUse = 3;

    private readonly NativeArray<FrameHeader> _headers;
    private TinyLock _generationsLock;

    /// <summary>The engine's generations, kept apart because most engines have none: made when one is first seen.</summary>
    private NativeArray<uint>? _engineGenerations;

    /// <summary>How often each frame was spared since it was last used; null if sharers do not weigh.</summary>
    private readonly NativeArray<byte>? _spares;

    public FrameTable(int count, int firstGeneration = 1, bool countsSpares = false)
    {
        _spares = countsSpares ? new NativeArray<byte>(count) : null;
        _headers = new NativeArray<FrameHeader>(count, hugePages: true);
        for (var i = 0; i < count; i++)
        {
            _headers[i].State.Initialize(firstGeneration);
            _headers[i].Previous = -1;
            _headers[i].Following = -1;
        }
    }

    public int Count => _headers.Length;

    /// <summary>The headers themselves, for the hit path: one step less on the way to each.</summary>
    public NativeArray<FrameHeader> Headers => _headers;

    /// <summary>Hits of sampled frames, for the policy.</summary>
    public HitSamples Samples { get; private set; } = new(HitSamples.Few);

    public long Bytes => _headers.Bytes + (_spares?.Bytes ?? 0) + (Atomic.LoadAcquire(ref _engineGenerations)?.Bytes ?? 0);

    public ref FrameHeader this[int frame]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _headers[frame];
    }

    /// <summary>Makes room for many hits: said by a policy that samples every frame, before the first.</summary>
    public void HearAllHits() => Samples = new HitSamples(HitSamples.ForAll(Count));

    /// <summary>How often the frame was spared for its sharers since it was last used.</summary>
    public int SparesOf(int frame) => _spares?[frame] ?? 0;

    /// <summary>The frame is spared once more; its claimer says so.</summary>
    public void CountSpare(int frame) => _spares![frame]++;

    /// <summary>The frame was used since it was spared, or its tenancy has ended. Said by the policy and by the frame's owner.</summary>
    public void ForgetSpares(int frame)
    {
        if (_spares is not null)
        {
            _spares[frame] = 0;
        }
    }

    /// <summary>
    /// The block whose content the frame holds or is loading. Stable while the frame is pinned, claimed, owned, or found
    /// unchanged in the physical table afterwards.
    /// </summary>
    public BlockIdentity IdentityOf(int frame)
    {
        var packed = Atomic.LoadAcquire(ref _headers[frame].Identity);
        if (packed <= 0)
        {
            return default;
        }

        var generations = Atomic.LoadAcquire(ref _engineGenerations);
        return new BlockIdentity(packed, generations is null ? 0 : generations[frame]);
    }

    /// <summary>Only the owner of a frame that is in no table sets its identity.</summary>
    public void SetIdentity(int frame, BlockIdentity identity)
    {
        var generations = Atomic.LoadAcquire(ref _engineGenerations);
        if (generations is null && identity.Generation != 0)
        {
            generations = MakeEngineGenerations();
        }

        if (generations is not null)
        {
            generations[frame] = identity.Generation;
        }

        Atomic.StoreRelease(ref _headers[frame].Identity, identity.Packed);
    }

    /// <summary>
    /// The stamp of the file that alone shows a provisional frame, 0 if there is none: dirty content has no block, so the
    /// word is free for it. Stable while the frame is provisional, but for being set to 0.
    /// </summary>
    public long StampOf(int frame) => Math.Max(0, -Atomic.LoadAcquire(ref _headers[frame].Identity));

    /// <summary>Only the owner of a frame that is in no table, or who holds the volume's binding lock, sets its stamp.</summary>
    public void SetStamp(int frame, long stamp) => Atomic.StoreRelease(ref _headers[frame].Identity, -stamp);

    /// <summary>
    /// Takes a pin without asking: the caller checks the state afterwards and unpins if it does not suit. The increment
    /// is a full fence (see <see cref="FrameState"/>).
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Pin(int frame) => Atomic.Increment(ref _headers[frame].Pins);

    /// <summary>Gives a pin back.</summary>
    /// <returns>
    /// Whether this was the last pin of a detached frame and the caller has just freed it: it must put it on the free list.
    /// </returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Unpin(int frame)
    {
        ref var header = ref _headers[frame];
        return Atomic.Decrement(ref header.Pins) <= 0 && UnpinnedLast(ref header);
    }

    /// <summary>
    /// Frees a detached frame if nobody pins it. Called by who detached it and by who unpins it: whichever comes later
    /// sees the other's fence, and the compare-and-swap lets one win.
    /// </summary>
    public bool TryFreeDetached(int frame) => TryFreeDetached(ref _headers[frame]);

    /// <summary>
    /// The state first, then the pins: who detaches a frame has pinned it before, so who sees it detached and then no pin
    /// knows that the one who detached it has done with it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryFreeDetached(ref FrameHeader header)
    {
        var seen = header.State.Load();
        return seen.Phase == FramePhase.Detached && header.PinsAcquire == 0 && header.State.TryFreeDetached(seen);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool UnpinnedLast(ref FrameHeader header)
    {
        if (header.PinsAcquire < 0)
        {
            ThrowReleasedTooOften(ref header);
        }

        return TryFreeDetached(ref header);
    }

    private static void ThrowReleasedTooOften(ref FrameHeader header)
    {
        Atomic.Increment(ref header.Pins);
        throw new InvalidOperationException("A page lease was released more often than it was taken.");
    }

    private NativeArray<uint> MakeEngineGenerations()
    {
        _generationsLock.Enter();
        try
        {
            var generations = Atomic.LoadAcquire(ref _engineGenerations);
            if (generations is null)
            {
                generations = new NativeArray<uint>(Count);
                Atomic.StoreRelease(ref _engineGenerations, generations);
            }

            return generations;
        }
        finally
        {
            _generationsLock.Exit();
        }
    }
}
