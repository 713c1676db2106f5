using System.Diagnostics;
using SharedPageCache.Concurrency;

namespace SharedPageCache.Mappings;

/// <summary>
/// A leaf of a page tree: one window of up to 512 page references, together with the runs that are their truth.
/// </summary>
/// <remarks>
/// <para>
/// <b>What never changes</b>: the runs, the age, the family. What a leaf maps is fixed for life; a slot only moves between
/// <em>on device</em> (or absent) and <em>resident</em> for the same block. So a leaf may be shared by all clones of a
/// file and by files that were opened independently over the same extents; a file whose truth changes leaves it.
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
    public const int FixedBytes = 432;

    public readonly long[] Slots;

    /// <summary>The leaf's lock: below the file's gate, above the frame word.</summary>
    public TinyLock Lock;

    private readonly NodeTicket _ticket;
    private TouchCounts _touches;
    private int _residents;
    private bool _dead;
    private bool _used;

    public Leaf(int slotCount, WindowRuns runs, long age, LeafFamily family, NodeLedger ledger)
    {
        Slots = new long[slotCount];
        Runs = runs;
        Age = age;
        Family = family;
        _ticket = new NodeTicket(ledger, FixedBytes + 8 * slotCount + runs.Bytes, family);
        Self = new WeakReference<Leaf>(this);
        family.Join(this);
    }

    public WindowRuns Runs { get; }

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

    public PageReference this[int slot] => new(Atomic.LoadAcquire(ref Slots[slot]));

    /// <summary>Fills the slots from the runs. Before the leaf is shared.</summary>
    public void FillFromRuns(int pageShift)
    {
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
        if (slot >= Slots.Length || this[slot] != expected)
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
}
