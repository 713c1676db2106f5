using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Frames;

/// <summary>
/// The state word of a frame and the only verbs that change it.
/// </summary>
/// <remarks>
/// <code>
///  63                    33 32                     4   3   2   0
/// +------------------------+------------------------+---+-------+
/// | generation (31)        | sequence (29)          | X | phase |
/// +------------------------+------------------------+---+-------+
///
///              BeginLoading           TryPublish
///   Free ─────────────────▶ Loading ─────────────▶ Clean ◀────────┐
///    ▲                         │  TryFail             │  TryClaim   │ TryUnclaim
///    │                         │  TryDetach           ▼             │ (a pin was seen)
///    │     TryFree             ▼                   Claimed ─────────┘
///    ├────────────────────  Detached ◀── TryDetach ── Clean        
///    │                                                 │
///    └──────────────────────────────── TryFree ────── Claimed
///   Free ── generations used up ──▶ Retired ── sweep found no reference ──▶ Free
///
///            PublishDirty            TryFreeze             TrySettle
///   Free ─────────────────▶ Dirty ─────────────▶ Writeback ──────────▶ Clean
///                            │ ▲ ▲                  │ │
///        TryBeginWrite: X ───┘ │ └──── Thaw ────────┘ │  (the write failed)
///        EndWrite: sequence+1 ─┘                      │
///   Detached ◀── TryOrphan ── Dirty, Writeback ───────┘  (no file shows it any more)
/// </code>
/// <para>
/// <b>Generation</b> names one tenancy of the frame. Every step that ends a tenancy (TryFree from Claimed, TryFail,
/// TryDetach, TryOrphan, Disown) advances it in the same compare-and-swap, so a page reference that carries the old number is never
/// believed again. It starts at 1 and never wraps: a frame that reaches the last generation is retired.
/// </para>
/// <para>
/// <b>Sequence</b> changes with every change of content inside a tenancy. An optimistic reader compares generation,
/// sequence and X before and after its copy. It may wrap: a reader would have to sleep through exactly 2^29 changes of
/// one page inside one copy.
/// </para>
/// <para>
/// <b>X</b>, the exclusive bit, says that bytes are being changed in place: set by one writer, in phase dirty only. Readers
/// and pins respect it, and no other verb moves the word while it is set, so whoever set it clears it by a plain
/// compare-and-swap that cannot fail. Setting it is a full fence and is followed by a look at the pins, as with a claim:
/// either the writer sees the pin and copies instead, or the pinner sees X and looks again.
/// </para>
/// <para>
/// Why each atomic suffices. All transitions are compare-and-swap on one word: of two that compete exactly one wins and
/// the loser sees the new word. TryClaim and TryDetach are full fences and are followed by a load of the pin count; a pin
/// is an interlocked increment (full fence) followed by a load of this word: of two full fences one sees the other, so
/// either the evictor sees the pin or the pinner sees the claim. TryPublish is the release that makes the loaded bytes
/// visible: a reader's acquire load of the word (or of a reference that was stored after it) orders its copy behind it.
/// </para>
/// </remarks>
internal struct FrameState
{
    public const int GenerationShift = 33;

    /// <summary>
    /// A frame that comes free at or past this generation is retired. One tenancy uses up at most two generations, so the
    /// number cannot wrap in between.
    /// </summary>
    public const int LastGeneration = int.MaxValue - 8;

    private const long PhaseMask = 7;
    private const long ExclusiveBit = 1L << 3;
    private const long SequenceUnit = 1L << 4;
    private const long SequenceMask = ((1L << 29) - 1) << 4;
    private const long GenerationMask = ~((1L << GenerationShift) - 1);

    private long _word;

    /// <summary>One look at the word.</summary>
    public readonly struct Snapshot(long word)
    {
        public readonly long Word = word;

        public FramePhase Phase => (FramePhase)(Word & PhaseMask);

        public int Generation => (int)(Word >>> GenerationShift);

        public bool IsExclusive => (Word & ExclusiveBit) != 0;

        /// <summary>Whether the frame's content may be shown and pinned.</summary>
        public bool IsReadable => Phase is FramePhase.Clean or FramePhase.Dirty or FramePhase.Writeback && !IsExclusive;

        /// <summary>
        /// Whether a reference with this generation (in the place where the word has it) may be copied optimistically.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool Admits(long reference) => (Word ^ reference) >>> GenerationShift == 0 && !IsExclusive;

        /// <summary>Whether nothing that a copy depends on has changed since.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool SameContentAs(Snapshot later) =>
            ((Word ^ later.Word) & (GenerationMask | SequenceMask | ExclusiveBit)) == 0;

        public override string ToString() =>
            $"{Phase} generation {Generation} sequence {(Word & SequenceMask) >> 4}{(IsExclusive ? " exclusive" : "")}";
    }

    /// <summary>Load-acquire: what is read afterwards is at least as new as this word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Snapshot Load() => new(Atomic.LoadAcquire(in _word));

    /// <summary>Puts a fresh frame into its first generation. Before the frame table is shared.</summary>
    public void Initialize(int generation) => _word = ((long)generation << GenerationShift) | (long)FramePhase.Free;

    /// <summary>
    /// Free -> Loading. The caller owns the frame, has pinned it, and has made it findable: from now on a discard may end
    /// the tenancy and take the frame out of where it is found. A full fence: what the caller looks at next (the regions'
    /// clock) is at least as new as the moment at which a discard could see the load.
    /// </summary>
    public void BeginLoading()
    {
        var word = Load();
        Require(word, FramePhase.Free);
        Atomic.Exchange(ref _word, word.Word & ~PhaseMask | (long)FramePhase.Loading);
    }

    /// <summary>Loading -> Clean, unless the tenancy was ended meanwhile (a discard). Publishes the bytes.</summary>
    public bool TryPublish(int generation) =>
        TryMove(generation, FramePhase.Loading, FramePhase.Clean, sequence: SequenceUnit, newGeneration: false);

    /// <summary>Loading -> Detached with a new generation: the load failed.</summary>
    public bool TryFail(int generation) =>
        TryMove(generation, FramePhase.Loading, FramePhase.Detached, sequence: 0, newGeneration: true);

    /// <summary>Clean -> Claimed. The caller must look at the pins next and unclaim if there are any.</summary>
    public bool TryClaim(int generation) =>
        TryMove(generation, FramePhase.Clean, FramePhase.Claimed, sequence: 0, newGeneration: false);

    /// <summary>Claimed -> Clean; false if a discard ended the tenancy while the frame was claimed.</summary>
    public bool TryUnclaim(int generation) =>
        TryMove(generation, FramePhase.Claimed, FramePhase.Clean, sequence: 0, newGeneration: false);

    /// <summary>Clean or Loading -> Detached with a new generation: a discard, pinned or not.</summary>
    public bool TryDetach(Snapshot seen)
    {
        if (seen.Phase is not (FramePhase.Clean or FramePhase.Loading))
        {
            return false;
        }

        return TryMove(seen.Generation, seen.Phase, FramePhase.Detached, sequence: 0, newGeneration: true);
    }

    /// <summary>Claimed stays Claimed, with a new generation: a discard reaches a frame that is being evicted.</summary>
    public bool TryDisown(int generation) =>
        TryMove(generation, FramePhase.Claimed, FramePhase.Claimed, sequence: 0, newGeneration: true);

    /// <summary>Claimed -> Detached by the claimant who found the tenancy ended and pins on the frame.</summary>
    public void DetachClaimed()
    {
        while (true)
        {
            var word = Load();
            Require(word, FramePhase.Claimed);
            if (TryMove(word.Generation, FramePhase.Claimed, FramePhase.Detached, sequence: 0, newGeneration: false))
            {
                return;
            }
        }
    }

    /// <summary>Claimed -> Free with a new generation. Only the claimant calls it; a discard may change the generation.</summary>
    public void FreeClaimed()
    {
        while (true)
        {
            var word = Load();
            Require(word, FramePhase.Claimed);
            if (TryMove(word.Generation, FramePhase.Claimed, FramePhase.Free, sequence: 0, newGeneration: true))
            {
                return;
            }
        }
    }

    /// <summary>
    /// Free -> Dirty with X, by the owner of the free frame who has filled it. The release that makes the bytes visible. The
    /// owner ends the write when a leaf shows the frame: until then no write-back freezes it.
    /// </summary>
    public void PublishDirty()
    {
        var word = Load();
        Require(word, FramePhase.Free);
        var next = word.Word & GenerationMask | (word.Word + SequenceUnit & SequenceMask) | ExclusiveBit | (long)FramePhase.Dirty;
        Atomic.StoreRelease(ref _word, next);
    }

    /// <summary>Sets X on a dirty frame. The caller must look at the pins next and give X back if there are any.</summary>
    public bool TryBeginWrite(int generation)
    {
        while (true)
        {
            var word = Load();
            if (word.Phase != FramePhase.Dirty || word.Generation != generation || word.IsExclusive)
            {
                return false;
            }

            if (Atomic.CompareExchange(ref _word, word.Word | ExclusiveBit, word.Word) == word.Word)
            {
                return true;
            }
        }
    }

    /// <summary>Clears X; with a new sequence if bytes were changed. Publishes them.</summary>
    public void EndWrite(bool changed)
    {
        var word = Load();
        if (word.Phase != FramePhase.Dirty || !word.IsExclusive)
        {
            throw new InvalidOperationException($"Broken invariant: a frame is {word} where an exclusive dirty one was expected.");
        }

        var sequence = word.Word + (changed ? SequenceUnit : 0) & SequenceMask;
        Atomic.StoreRelease(ref _word, word.Word & ~(SequenceMask | ExclusiveBit) | sequence);
    }

    /// <summary>Dirty -> Writeback: from now on a write copies. False while a writer is inside.</summary>
    public bool TryFreeze(int generation) =>
        TryMove(generation, FramePhase.Dirty, FramePhase.Writeback, sequence: 0, newGeneration: false);

    /// <summary>Writeback -> Dirty: the image did not become durable.</summary>
    public bool Thaw(int generation) =>
        TryMove(generation, FramePhase.Writeback, FramePhase.Dirty, sequence: 0, newGeneration: false);

    /// <summary>Writeback -> Clean: the image is on the device, and bound to all who show it.</summary>
    public bool TrySettle(int generation) =>
        TryMove(generation, FramePhase.Writeback, FramePhase.Clean, sequence: 0, newGeneration: false);

    /// <summary>Dirty or Writeback -> Detached with a new generation: nobody shows it any more.</summary>
    public bool TryOrphan(Snapshot seen) =>
        seen.Phase is FramePhase.Dirty or FramePhase.Writeback
        && TryMove(seen.Generation, seen.Phase, FramePhase.Detached, sequence: 0, newGeneration: true);

    /// <summary>
    /// Detached -> Free. Many may try (each who saw the last pin go); one wins. The caller has looked at the pins after it
    /// had seen this very tenancy detached.
    /// </summary>
    public bool TryFreeDetached(Snapshot seen) =>
        seen.Phase == FramePhase.Detached
        && TryMove(seen.Generation, FramePhase.Detached, FramePhase.Free, sequence: 0, newGeneration: false);

    /// <summary>Free -> Retired, by the owner of the free frame.</summary>
    public void Retire()
    {
        var word = Load();
        Require(word, FramePhase.Free);
        Atomic.StoreRelease(ref _word, word.Word & ~PhaseMask | (long)FramePhase.Retired);
    }

    /// <summary>Retired -> Free in generation 1, after a sweep has found no reference to the frame.</summary>
    public void Renew()
    {
        Require(Load(), FramePhase.Retired);
        Atomic.StoreRelease(ref _word, 1L << GenerationShift | (long)FramePhase.Free);
    }

    public override readonly string ToString() => Load().ToString();

    private bool TryMove(int generation, FramePhase from, FramePhase to, long sequence, bool newGeneration)
    {
        while (true)
        {
            var word = Load();
            if (word.Phase != from || word.Generation != generation || word.IsExclusive)
            {
                return false;
            }

            var sequenceBits = word.Word + sequence & SequenceMask;
            var generationBits = word.Word & GenerationMask;
            if (newGeneration)
            {
                generationBits += 1L << GenerationShift;
            }

            var next = generationBits | sequenceBits | (long)to;
            if (Atomic.CompareExchange(ref _word, next, word.Word) == word.Word)
            {
                return true;
            }
        }
    }

    private static void Require(Snapshot word, FramePhase phase)
    {
        if (word.Phase != phase)
        {
            throw new InvalidOperationException($"Broken invariant: a frame is {word} where {phase} was expected.");
        }
    }
}
