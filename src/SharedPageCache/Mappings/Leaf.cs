using System.Diagnostics;
using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// A leaf of a page tree: one window of up to 512 page references, together with the runs that are their truth.
/// </summary>
/// <remarks>
/// <para>
/// <b>An indexed leaf</b> (stamp 0) never changes what it maps: a slot only moves between <em>on device</em> (or absent)
/// and <em>resident</em> for the same block. So it may be shared by all clones of a file and by files that were opened
/// independently over the same extents; a file whose truth changes leaves it.
/// </para>
/// <para>
/// <b>A diverged leaf</b> belongs to the file whose stamp it carries, until that file is cloned: then to both, and neither
/// writes to it again. Its slots may be <em>provisional</em>: they show a dirty frame, whose content is on no device; the
/// runs then say what was there before. When such a page has been written back its runs are exchanged in the same hold of
/// the volume's binding lock, and the slot is an ordinary one again.
/// </para>
/// <para>
/// <b>Never changes</b>: age, family, stamp, the number of slots.
/// </para>
/// <para>
/// <b>Guard.</b> Slots are written under <see cref="Lock"/> with store-release and read without it with load-acquire: who
/// reads a resident reference also sees everything that was written before it was installed. <see cref="_dead"/> is set
/// under the lock when the sweeper begins to take the leaf out of the trees; installing and touching in a dead leaf are
/// refused.
/// </para>
/// </remarks>
internal sealed class Leaf
{
    /// <summary>
    /// The leaf, its slots' header, its ticket, its weak handle and its family, as booked for the memory limit. A test
    /// compares what is booked with the heap.
    /// </summary>
    public const int FixedBytes = 448;

    /// <summary>The age of a leaf of which only the provisional slots are believed.</summary>
    public const long Void = long.MinValue;

    public readonly long[] Slots;

    /// <summary>The leaf's lock: below the file's gate, above the frame word.</summary>
    public TinyLock Lock;

    private readonly NodeTicket _ticket;
    private WindowRuns? _runs;
    private TouchCounts _touches;
    private long[]? _provisional;
    private int _provisionals;
    private int _writers;
    private int _residents;
    private bool _dead;
    private bool _used;

    public Leaf(int slotCount, WindowRuns runs, long age, LeafFamily family, NodeLedger ledger, long stamp = 0)
    {
        Slots = new long[slotCount];
        _runs = runs;
        Age = age;
        Family = family;
        Stamp = stamp;
        var bitmap = stamp == 0 ? 0 : ProvisionalWords * 8 + 24;
        _ticket = new NodeTicket(ledger, FixedBytes + 8 * slotCount + runs.Bytes + bitmap, family);
        Self = new WeakReference<Leaf>(this);
        family.Join(this);
    }

    /// <summary>What the window maps on the device. In a diverged leaf exchanged as a whole, under the lock.</summary>
    public WindowRuns Runs => Atomic.LoadAcquire(ref _runs)!;

    /// <summary>The stamp of the file that made the leaf for itself, or 0 for one that strangers may share.</summary>
    public long Stamp { get; }

    /// <summary>How many slots show dirty content.</summary>
    public int Provisionals => Atomic.LoadAcquire(ref _provisionals);

    public bool HasProvisionals => Provisionals != 0;

    /// <summary>The volume's clock before the extents were asked for.</summary>
    public long Age { get; }

    public LeafFamily Family { get; }

    /// <summary>The handle by which family and index know the leaf without keeping it alive.</summary>
    public WeakReference<Leaf> Self { get; }

    public bool IsDead => _dead;

    /// <summary>Whether the leaf was taken out of all trees.</summary>
    public bool IsGarbage => _ticket.IsGarbage;

    /// <summary>The how-many-eth leaf of the cache this is.</summary>
    public long Number => _ticket.Number;

    /// <summary>Whether the leaf once held a resident page and holds none now.</summary>
    public bool IsEmptied => _used && Residents == 0;

    /// <summary>How many slots are resident, by their kind (a stale reference counts until it is repaired).</summary>
    public int Residents => Atomic.LoadAcquire(ref _residents);

    /// <summary>
    /// What a slot says. Absent behind the last slot: a reader of a version that was longer may still ask for it.
    /// </summary>
    public PageReference this[int slot]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            var slots = Slots;
            return (uint)slot < (uint)slots.Length ? new PageReference(Atomic.LoadAcquire(ref slots[slot])) : default;
        }
    }

    /// <summary>Fills the slots from the runs. Before the leaf is shared.</summary>
    public void FillFromRuns(int pageShift)
    {
        if (Age == Void)
        {
            // Absent everywhere: not even a hole may be believed.
            return;
        }

        Array.Fill(Slots, PageReference.Hole.Word);
        var pageSize = 1 << pageShift;
        foreach (var run in Runs)
        {
            var first = run.Start >> pageShift;
            var last = Math.Min(run.End - 1 >> pageShift, Slots.Length - 1);
            for (var slot = first; slot <= last; slot++)
            {
                var start = slot << pageShift;
                var whole = run.Start <= start && run.End >= start + pageSize && !run.IsOpaque;
                var physical = run.Physical + (start - run.Start);
                Slots[slot] = whole && (physical & (pageSize - 1)) == 0
                    ? PageReference.OnDevice(physical >> pageShift).Word
                    : PageReference.Absent.Word;
            }
        }
    }

    /// <summary>
    /// A leaf for one file alone, with this leaf's provisional slots and, unless a newer answer is given, all the rest of
    /// it too. Same family: the frames' places hold for it. Under this leaf's lock and, if it has provisional slots, the
    /// binding lock: who shows a provisional frame changes.
    /// </summary>
    /// <param name="stamp">The file's stamp.</param>
    /// <param name="slotCount">How many slots the copy has: what is behind the old ones reads zero.</param>
    /// <param name="newer">A leaf made from a newer answer, or null.</param>
    /// <param name="age">The age of the copy: this leaf's, the newer answer's, or <see cref="Void"/>.</param>
    /// <param name="pageShift">Log2 of the page size.</param>
    /// <param name="ledger">The books.</param>
    public Leaf CopyFor(long stamp, int slotCount, Leaf? newer, long age, int pageShift, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld && stamp != 0, "copied under the lock, for a file");
        var runs = newer?.Runs ?? Runs;
        if (slotCount < Slots.Length)
        {
            runs = runs.With(slotCount << pageShift, Window.Pages << pageShift, replacement: null);
        }

        var isAdmitted = Family.TryAdmit();
        Debug.Assert(isAdmitted && !_dead, "the family of a live leaf takes in its copies");
        var copy = new Leaf(slotCount, runs, age, Family, ledger, stamp);

        // The family has it by now: an evictor finds it there, and turns a slot back and counts it between two steps of the filling.
        // Nobody who holds its lock waits for this leaf's: no tree leads to it yet, and who comes from a frame holds one leaf at a time.
        copy.Lock.Enter();
        if (newer is null && age != Void && slotCount == Slots.Length)
        {
            copy.TakeAll(this);
        }
        else
        {
            copy.TakeSome(this, keepsAll: newer is null && age != Void, pageShift);
        }

        copy.Lock.Exit();
        return copy;
    }

    /// <summary>What of a leaf is true in a copy that has other runs, or is of another length.</summary>
    private void TakeSome(Leaf source, bool keepsAll, int pageShift)
    {
        FillFromRuns(pageShift);
        for (var slot = 0; slot < Math.Min(Slots.Length, source.Slots.Length); slot++)
        {
            var reference = source[slot];
            var isProvisional = source.IsProvisional(slot);
            if (reference.IsResident && (keepsAll || isProvisional))
            {
                Slots[slot] = reference.Word;
                _residents++;
                _used = true;
                if (isProvisional)
                {
                    Mark(slot);
                }
            }
        }
    }

    /// <summary>
    /// The usual copy, that of a leaf as it is: slots and bits as blocks. Under both locks; the copy is shared by a release.
    /// </summary>
    private void TakeAll(Leaf source)
    {
        Array.Copy(source.Slots, Slots, Slots.Length);
        _residents = source._residents;
        _used = source._residents > 0;
        if (source._provisionals > 0)
        {
            _provisional = (long[])source._provisional!.Clone();
            _provisionals = source._provisionals;
        }
    }

    /// <summary>Whether a slot shows content that is on no device.</summary>
    public bool IsProvisional(int slot) =>
        Atomic.LoadAcquire(ref _provisional) is { } bits && (Atomic.LoadAcquire(ref bits[slot >> 6]) >> (slot & 63) & 1) != 0;

    /// <summary>A writer is going to show pages in the leaf: it is not buried until the writer lets go. False if it is dead.</summary>
    public bool TryHold()
    {
        Lock.Enter();
        var isAlive = !_dead;
        _writers += isAlive ? 1 : 0;
        Lock.Exit();
        return isAlive;
    }

    /// <summary>The writer is done.</summary>
    public void LetGo()
    {
        Lock.Enter();
        _writers--;
        Lock.Exit();
    }

    /// <summary>Whether the leaf may be taken out of service: what it shows can be had again. Under the lock.</summary>
    public bool MayBeBuried => !_dead && _writers == 0 && _provisionals == 0;

    /// <summary>Shows a dirty frame in a slot, instead of whatever was there.</summary>
    public void InstallProvisional(int slot, PageReference reference, NodeLedger ledger)
    {
        Debug.Assert(Stamp != 0, "indexed leaves have no provisional slots");
        Install(slot, reference, ledger);
        if (!IsProvisional(slot))
        {
            Mark(slot);
        }
    }

    /// <summary>A slot is a hole from now on, in truth.</summary>
    public void Punch(int slot, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld && Stamp != 0, "under the lock, in a file's own leaf");
        if (this[slot].IsResident)
        {
            Forget(slot, ledger);
        }

        Unmark(slot);
        Atomic.StoreRelease(ref Slots[slot], PageReference.Hole.Word);
    }

    /// <summary>A slot shows nothing from now on: only the engine knows what is there. No hole: that would be believed.</summary>
    public void Withdraw(int slot, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld && Stamp != 0, "under the lock, in a file's own leaf");
        if (this[slot].IsResident)
        {
            Forget(slot, ledger);
        }

        Unmark(slot);
        Atomic.StoreRelease(ref Slots[slot], PageReference.Absent.Word);
    }

    /// <summary>Pages have been written back, or punched: they are elsewhere on the device from now on, or nowhere.</summary>
    public void ExchangeRuns(int start, int end, WindowRun? replacement)
    {
        Debug.Assert(Lock.IsHeld && Stamp != 0, "under the lock, in a file's own leaf");
        var runs = Runs.With(start, end, replacement);
        _ticket.Grow(runs.Bytes - Runs.Bytes);
        Atomic.StoreRelease(ref _runs, runs);
    }

    /// <summary>The frame of a slot has got a block: the slot is an ordinary resident one from now on.</summary>
    public void Settle(int slot)
    {
        Debug.Assert(Lock.IsHeld && IsProvisional(slot), "under the lock, a provisional slot");
        Unmark(slot);
    }

    /// <summary>Where the bytes of a page come from, by the slot if it says so, else by the runs.</summary>
    public PageSource Resolve(int slot, int pageShift)
    {
        var reference = this[slot];
        if (reference.Kind == ReferenceKind.Hole)
        {
            return PageSource.Zero;
        }

        if (reference.Kind == ReferenceKind.OnDevice && !Runs.HasGenerations)
        {
            return new PageSource(PageSourceKind.Block, reference.Block);
        }

        return ResolveByRuns(slot, pageShift);
    }

    /// <summary>Where the bytes of a page come from, by the runs alone.</summary>
    public PageSource ResolveByRuns(int slot, int pageShift)
    {
        var start = slot << pageShift;
        var end = start + (1 << pageShift);
        foreach (var run in Runs)
        {
            if (run.End <= start)
            {
                continue;
            }

            if (run.Start >= end)
            {
                break;
            }

            var physical = run.Physical + (start - run.Start);
            return run.Start <= start && run.End >= end && !run.IsOpaque && (physical & (1 << pageShift) - 1) == 0
                ? new PageSource(PageSourceKind.Block, physical >> pageShift, run.Generation)
                : PageSource.Composite;
        }

        return PageSource.Zero;
    }

    /// <summary>Puts a resident reference into a slot. The frame's place has been recorded before.</summary>
    public void Install(int slot, PageReference reference, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld && !_dead && reference.IsResident, "install under the lock, in a live leaf");
        if (this[slot].IsResident)
        {
            Atomic.StoreRelease(ref Slots[slot], reference.Word);
            return;
        }

        Atomic.StoreRelease(ref Slots[slot], reference.Word);
        _residents++;
        _used = true;
        ledger.AddTouchedResidents(_touches[slot]);
    }

    /// <summary>
    /// Turns a resident reference back into what the runs say, if the slot still holds exactly that reference.
    /// </summary>
    public bool TurnBack(int slot, PageReference expected, int pageShift, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld, "slots are written under the lock");
        if (slot >= Slots.Length || this[slot] != expected || IsProvisional(slot))
        {
            return false;
        }

        var source = ResolveByRuns(slot, pageShift);
        var reference = source.Kind == PageSourceKind.Block ? PageReference.OnDevice(source.Block) : PageReference.Absent;
        Atomic.StoreRelease(ref Slots[slot], reference.Word);
        _residents--;
        ledger.AddTouchedResidents(-_touches[slot]);
        if (_residents == 0)
        {
            ledger.LeafBecameEmpty();
        }

        return true;
    }

    /// <summary>Turns whatever a resident slot says back into "ask the runs".</summary>
    public void Forget(int slot, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld && this[slot].IsResident, "slots are written under the lock");
        Atomic.StoreRelease(ref Slots[slot], PageReference.Absent.Word);
        _residents--;
        ledger.AddTouchedResidents(-_touches[slot]);
    }

    /// <summary>One more file has used the page of this slot. Refused by a dead leaf.</summary>
    public bool TryAddTouch(int slot, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld, "touches are counted under the lock");
        if (_dead)
        {
            return false;
        }

        if (_touches.Increment(slot) is var grown and > 0)
        {
            _ticket.Grow(grown);
        }

        if (this[slot].IsResident)
        {
            ledger.AddTouchedResidents(1);
        }

        return true;
    }

    /// <summary>A file that had used the page of this slot is gone.</summary>
    public void RemoveTouch(int slot, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld, "touches are counted under the lock");
        if (_touches.TryDecrement(slot) && this[slot].IsResident)
        {
            ledger.AddTouchedResidents(-1);
        }
    }

    /// <summary>How many open files have used the page of this slot.</summary>
    public int TouchesOf(int slot) => _touches[slot];

    /// <summary>Takes the leaf out of service: nothing is installed or touched in it any more.</summary>
    /// <param name="shown">Gets what the leaf showed until now.</param>
    /// <param name="ledger">The books.</param>
    public void Bury(List<(int Slot, int Frame)> shown, NodeLedger ledger)
    {
        Debug.Assert(Lock.IsHeld && !_dead, "a leaf dies once, under its lock");
        _dead = true;
        _ticket.IsBuried = true;
        for (var slot = 0; slot < Slots.Length && _residents > 0; slot++)
        {
            if (this[slot] is { IsResident: true } reference)
            {
                shown.Add((slot, reference.Frame));
                Forget(slot, ledger);
            }
        }
    }

    /// <summary>The leaf was taken out of all trees: its bytes are garbage from now on.</summary>
    public void Discard() => _ticket.Discard();

    /// <summary>Counts the resident slots and their touches anew. For verification.</summary>
    public (int Residents, long Touches) Recount()
    {
        var residents = 0;
        long touches = 0;
        for (var slot = 0; slot < Slots.Length; slot++)
        {
            if (this[slot].IsResident)
            {
                residents++;
                touches += TouchesOf(slot);
            }
        }

        return (residents, touches);
    }

    public override string ToString() =>
        $"leaf of family {Family.Id}, {Slots.Length} slots, {Residents} resident, {Runs.Count} runs, age {Age}{(_dead ? ", dead" : "")}";

    private const int ProvisionalWords = Window.Pages / 64;

    private void Mark(int slot)
    {
        if (_provisional is null)
        {
            Atomic.StoreRelease(ref _provisional, new long[ProvisionalWords]);
        }

        ref var word = ref _provisional![slot >> 6];
        Atomic.StoreRelease(ref word, word | 1L << (slot & 63));
        Atomic.StoreRelease(ref _provisionals, _provisionals + 1);
    }

    private void Unmark(int slot)
    {
        if (IsProvisional(slot))
        {
            ref var word = ref _provisional![slot >> 6];
            Atomic.StoreRelease(ref word, word & ~(1L << (slot & 63)));
            Atomic.StoreRelease(ref _provisionals, _provisionals - 1);
        }
    }
}
