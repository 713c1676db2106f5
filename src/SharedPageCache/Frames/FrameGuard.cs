using System.Diagnostics;
using SharedPageCache.Concurrency;
using SharedPageCache.Memory;

namespace SharedPageCache.Frames;

/// <summary>
/// Checked mode of frames: poison in those that hold no page, frozen checksums of those whose bytes nobody may change, garbage
/// in the descriptors of free ones. There is none unless the option is on.
/// </summary>
/// <remarks>
/// <para><b>What it finds.</b></para>
/// <list type="bullet">
/// <item>A write to a frame that holds no page: through the memory of a lease that has ended or was not committed, or by a
/// device that goes on after its read has completed. Found when the frame leaves the quarantine, when it is given out, and by the
/// self-check; the report names the first changed byte, what the frame held last, where it was freed, and its last lease.</item>
/// <item>A write to a page that nobody may write: one that is clean, so as on the device, or one that is being written back. The
/// checksum is taken when the page is published, or freezes. It is compared when the tenancy ends (eviction, discard,
/// take-over), when the page is copied for a write, when a write-back ends, and by the self-check.</item>
/// <item>Code of the cache that believes a field of a free frame, or hands a field on to the next page: the fields that no
/// other thread may follow (use, identity, list links) hold garbage while the frame waits, and are set again by who takes it.
/// A frame that comes free while the policy or the reverse map still knows it is reported.</item>
/// </list>
/// <para>
/// <b>What it costs.</b> On: a checksum a load, an eviction, a copy (4 KiB: half a microsecond), two passes over the bytes and a
/// stack trace when a frame comes free, one pass when it is given out, and 60 bytes a frame beside the limit. Off: a comparison
/// with null at these moments; hits meet none of them, on or off.
/// </para>
/// <para>
/// <b>What it cannot find.</b> Reads of memory that was given back (they see poison, or the next page). Writes to a frame that is
/// dirty and neither leased nor being written, since files write such frames in place. Writes that have come and gone between
/// two looks with the same bytes, and, one in 2^32, with the same checksum. A write of the very poison. Who did it: only whose it was.
/// </para>
/// <para>
/// A frame that is given out for the first time, or to the owner that it had before, comes with poison in it, so a fill that is too short and
/// believed all the same shows poison; one that passes to another security domain is zeroed as ever.
/// </para>
/// <para>
/// <b>Why it is safe.</b> A frame is poisoned by its only owner, after the generation has advanced: as if it were given to
/// another page, so optimistic readers throw away what they copied. The poisoned mark is set after the bytes by a release
/// and taken away before they change by an exchange (full fence); a self-check that compares racing looks at the mark, then the bytes,
/// then (read barrier) the mark again. A checksum is stored before the phase that it belongs to is left (loading -> clean by
/// the loader; writeback, by the write-back, which is alone) and taken away before the bytes may change: by who ends the
/// tenancy and owns the frame, or before the frame thaws. A racing check looks at state and checksum, bytes, (read barrier)
/// both again.
/// </para>
/// </remarks>
internal sealed class FrameGuard(
    FrameTable frames, Arena arena, MisuseReports reports, Func<BlockIdentity, string> nameOf, Func<int, (string Words, string TakenAt)?> lastLease)
{
    /// <summary>Every byte of a frame that holds no page.</summary>
    public const byte Poison = 0xDB;

    private const byte GarbageUse = 0x55;
    private const int GarbageLink = unchecked((int)0xDBDB_DBDB);

    /// <summary>Reads as the stamp of nobody, so as no block.</summary>
    private const long GarbageIdentity = unchecked((long)0xDBDB_DBDB_DBDB_DBDB);

    private const long Frozen = 1L << 32;

    private readonly long[] _sums = new long[frames.Count];

    /// <summary>Odd while the frame is poisoned; moves with every change.</summary>
    private readonly int[] _poisonings = new int[frames.Count];

    private readonly Tenancy[] _last = new Tenancy[frames.Count];
    private readonly StackTrace?[] _freedAt = new StackTrace?[frames.Count];

    /// <summary>A frame of a new cache.</summary>
    public void Begin(int frame)
    {
        arena.Span(frame).Fill(Poison);
        Atomic.StoreRelease(ref _poisonings[frame], 1);
    }

    /// <summary>The content of a frame is final. By the loader before it publishes, or by the write-back after it has frozen it.</summary>
    public void Freeze(int frame) => Atomic.StoreRelease(ref _sums[frame], Frozen | PageSum.Of(arena.Span(frame)));

    /// <summary>The frame is going to be dirty again: it may be written in place.</summary>
    public void Thaw(int frame) => Atomic.StoreRelease(ref _sums[frame], 0);

    /// <summary>Looks whether a frozen frame that the caller has pinned, or owns, is as it was.</summary>
    public bool Check(int frame, string when)
    {
        if (FaultOf(frame) is not { } fault)
        {
            return true;
        }

        var lease = lastLease(frame);
        reports.Report(new CacheMisuse(
            CacheMisuseKind.FrozenPageChanged, new FrameIndex(frame), $"{fault} ({when}){Last(lease)}", lease?.TakenAt));
        return false;
    }

    /// <summary>The same, before bytes of the frame are used for something that lasts.</summary>
    /// <exception cref="CacheCorruptionException">They have changed.</exception>
    public void ThrowIfChanged(int frame, string when)
    {
        if (!Check(frame, when))
        {
            throw new CacheCorruptionException([$"frame {frame}, found {when}, is not what was read or written; nothing of it was used"]);
        }
    }

    /// <summary>A tenancy has ended; the caller owns the frame, whose identity is still the old one.</summary>
    public void End(int frame)
    {
        Check(frame, "when its tenancy ended");
        Thaw(frame);
        _last[frame] = new Tenancy(
            frames.IdentityOf(frame), frames.StampOf(frame), frames[frame].State.Load().Generation, Environment.CurrentManagedThreadId);
    }

    /// <summary>Poisons a frame that its owner has reset, or has never shown.</summary>
    public void Free(int frame)
    {
        ref var header = ref frames[frame];
        if (header.Queue != 0 || header.Record != 0)
        {
            reports.Report(new CacheMisuse(
                CacheMisuseKind.StaleDescriptor, new FrameIndex(frame),
                $"frame {frame} has come free with queue {header.Queue} and record {header.Record:x} ({header.State}); it held {_last[frame].In(nameOf)}", null));
        }

        header.Use = GarbageUse;
        header.Previous = GarbageLink;
        header.Following = GarbageLink;
        Atomic.StoreRelease(ref header.Identity, GarbageIdentity);
        arena.Span(frame).Fill(Poison);
        _freedAt[frame] = new StackTrace(1, fNeedFileInfo: false);
        Atomic.StoreRelease(ref _poisonings[frame], Atomic.LoadAcquire(ref _poisonings[frame]) | 1);
    }

    /// <summary>Looks whether a free frame is as it was left. By its owner.</summary>
    public void CheckFree(int frame, string when)
    {
        if (PoisonFaultOf(frame) is not { } fault)
        {
            return;
        }

        var lease = lastLease(frame);
        reports.Report(new CacheMisuse(CacheMisuseKind.WriteAfterFree, new FrameIndex(frame), $"{fault} ({when}){Last(lease)}", lease?.TakenAt));

        // Told once.
        arena.Span(frame).Fill(Poison);
    }

    /// <summary>A free frame is given out: it is what a new frame is, but for its bytes.</summary>
    public void Take(int frame)
    {
        CheckFree(frame, "when it was given out");
        Unmark(frame);
        ref var header = ref frames[frame];
        header.Use = 0;
        header.Previous = -1;
        header.Following = -1;
        frames.SetIdentity(frame, default);
        _freedAt[frame] = null;
    }

    /// <summary>What is wrong with a frame, whoever uses it meanwhile; null if nothing, or if it has changed hands.</summary>
    public string? FaultAtAnyTime(int frame)
    {
        var state = frames[frame].State.Load();
        var (sum, poisoning) = (Atomic.LoadAcquire(ref _sums[frame]), Atomic.LoadAcquire(ref _poisonings[frame]));
        var fault = (poisoning & 1) != 0 ? PoisonFaultOf(frame) : state.Phase is FramePhase.Clean or FramePhase.Writeback ? FaultOf(frame) : null;
        Atomic.ReadBarrier();
        var isSame = frames[frame].State.Load().Word == state.Word && Atomic.LoadAcquire(ref _sums[frame]) == sum
            && Atomic.LoadAcquire(ref _poisonings[frame]) == poisoning;
        return isSame ? fault : null;
    }

    private void Unmark(int frame) => Atomic.Exchange(ref _poisonings[frame], (Atomic.LoadAcquire(ref _poisonings[frame]) | 1) + 1);

    private string? FaultOf(int frame)
    {
        var frozen = Atomic.LoadAcquire(ref _sums[frame]);
        if (frozen == 0 || PageSum.Of(arena.Span(frame)) is var now && now == (uint)frozen)
        {
            return null;
        }

        var identity = frames.IdentityOf(frame);
        return $"frame {frame} ({frames[frame].State}, {(identity.IsSome ? nameOf(identity) : "no block")}) has changed under everybody: "
            + $"its checksum was {(uint)frozen:x8} and is {now:x8}";
    }

    private string? PoisonFaultOf(int frame)
    {
        ReadOnlySpan<byte> bytes = arena.Span(frame);
        var first = bytes.IndexOfAnyExcept(Poison);
        if (first < 0)
        {
            return null;
        }

        var last = bytes.LastIndexOfAnyExcept(Poison);
        return $"frame {frame} was written after it had come free: bytes {first} to {last}, beginning with {Convert.ToHexString(bytes.Slice(first, Math.Min(16, bytes.Length - first)))}; "
            + $"it held {_last[frame].In(nameOf)}, freed by thread {_last[frame].Thread}"
            + (_freedAt[frame] is { } freed ? $"{Environment.NewLine}{freed.ToString().TrimEnd()}{Environment.NewLine}" : "");
    }

    private static string Last((string Words, string TakenAt)? lease) => lease is { } known ? $"; its last lease: {known.Words}" : "; it was never leased";

    /// <summary>What a frame held last.</summary>
    private readonly record struct Tenancy(BlockIdentity Identity, long Stamp, int Generation, int Thread)
    {
        public string In(Func<BlockIdentity, string> nameOf) => Generation == 0
            ? "nothing yet"
            : $"{(Identity.IsSome ? nameOf(Identity) : Stamp != 0 ? $"what a file with stamp {Stamp} had written" : "a page without a block")} until generation {Generation}";
    }
}
