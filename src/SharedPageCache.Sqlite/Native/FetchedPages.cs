using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SharedPageCache.Sqlite.Native;

/// <summary>The pages that a connection was given in place: those that it holds, and some that it held in this transaction.</summary>
/// <remarks>
/// <para>
/// SQLite fetches and gives back the same few pages for each query: the root of a tree and what is below it. So in a long transaction a page that is given back
/// stays pinned in its slot until the transaction ends, and the next fetch finds it there without a look into the cache: no atomic
/// operation, nothing shared. A short one gives back at once: it fetches hardly a page twice. Used by one thread at a time, as the file is.
/// </para>
/// <para>
/// <b>Why what is found is right.</b> A kept page does not change; so it is right as long as nobody changes the page of the file. Within a
/// transaction nobody but the connection itself does: others need the file alone for that, or, with a log, copy only what no reader
/// looks for in the database. <see cref="Drop"/> is called when a lock is given back, and before the connection itself changes
/// anything; after it no fetch returns a page that was pinned before.
/// </para>
/// <para>
/// <b>Slots.</b> A page has one slot, by its number. It gets it if it is fetched twice while nobody else has come to the slot, so that the leaves of a tree,
/// each of which is read once, do not drive out what is above them. What has no slot is outside: pinned until it is given back.
/// </para>
/// <para>
/// <b>How much is pinned.</b> One page of 512 of the cache (but four) for each connection at the most, and 128; and outside as many. If leases are used up
/// a connection drops what it does not hold.
/// </para>
/// </remarks>
internal sealed unsafe class FetchedPages
{
    private const int MostSlots = 128;
    private const int LeastSlots = 4;

    /// <summary>A cursor holds a page for each level of its tree; what does not find a place is read by copy.</summary>
    private const int MostOutside = 128;

    /// <summary>How many pages a transaction fetches before it is a long one.</summary>
    private const int Short = 64;

    private readonly MappedFile _pages;
    private readonly Slot[] _slots;
    private readonly ulong[] _occupied;
    private readonly List<Slot> _outside = [];
    private readonly int _shift;

    /// <summary>How many pages are left until the transaction is a long one. While there are any, all slots are empty.</summary>
    private int _left = Short;

    public FetchedPages(MappedFile pages, long cachePages)
    {
        _pages = pages;
        _shift = BitOperations.Log2((uint)pages.Volume.PageSize);
        _slots = new Slot[(int)BitOperations.RoundUpToPowerOf2((ulong)Math.Clamp(cachePages / 1024, LeastSlots, MostSlots))];
        _occupied = new ulong[(_slots.Length + 63) / 64];
    }

    /// <summary>How many pages have a slot.</summary>
    public int InSlots => _occupied.Sum(BitOperations.PopCount);

    /// <summary>Pins what is in one page of the file, loading it if need be.</summary>
    /// <returns>Its address; zero if it is in two pages, or too much is pinned.</returns>
    public nint Fetch(long offset, int count)
    {
        var inPage = (int)offset & ((1 << _shift) - 1);
        if (inPage + count > 1 << _shift)
        {
            return 0;
        }

        var key = (offset >> _shift) + 1;
        ref var slot = ref SlotOf(key);
        if (slot.Key != key)
        {
            return FetchAnew(ref slot, key) is var address and not 0 ? address + inPage : 0;
        }

        slot.Uses++;
        return slot.Address + inPage;
    }

    /// <summary>Gives back a page that was fetched.</summary>
    public void Unfetch(long offset, nint address)
    {
        var page = address - ((nint)offset & ((1 << _shift) - 1));
        var key = (offset >> _shift) + 1;
        ref var slot = ref SlotOf(key);
        if (slot.Key == key && slot.Uses > 0 && slot.Address == page)
        {
            slot.Uses--;
            return;
        }

        UnfetchOutside(page);
    }

    /// <summary>From here on no fetch returns a page that was pinned before. What is held stays where it is until it is given back.</summary>
    public void Drop()
    {
        if (_left > 0)
        {
            _left = Short;
            return;
        }

        _left = Short;
        for (var word = 0; word < _occupied.Length; word++)
        {
            for (var left = _occupied[word]; left != 0; left &= left - 1)
            {
                ref var slot = ref _slots[word * 64 + BitOperations.TrailingZeroCount(left)];
                if (slot.Uses > 0)
                {
                    _outside.Add(slot);
                }
                else
                {
                    slot.Page.Release();
                }

                slot = default;
            }

            _occupied[word] = 0;
        }
    }

    /// <summary>Gives back everything.</summary>
    public void Clear()
    {
        Drop();
        _outside.ForEach(static held => held.Page.Release());
        _outside.Clear();
    }

    /// <inheritdoc/>
    public override string ToString() => $"{InSlots} of {_slots.Length} slots, {_outside.Count} outside";

    private ref Slot SlotOf(long key) => ref _slots[(int)key & (_slots.Length - 1)];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private nint FetchAnew(ref Slot slot, long key)
    {
        if (_outside.Count >= MostOutside || !TryKeep((key - 1) << _shift, out var page))
        {
            return 0;
        }

        // The memory is native and does not move: the address holds without fixing it.
        var fetched = new Slot { Key = key, Address = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(page.Span)), Page = page, Uses = 1 };
        if (_left > 0 || slot.Uses > 0 || slot.LastComer != key)
        {
            _left -= _left > 0 ? 1 : 0;
            slot.LastComer = key;
            _outside.Add(fetched);
            return fetched.Address;
        }

        if (slot.Key != 0)
        {
            slot.Page.Release();
        }

        var index = (int)key & (_slots.Length - 1);
        _occupied[index / 64] |= 1UL << (index & 63);
        slot = fetched;
        return fetched.Address;
    }

    private bool TryKeep(long offset, out KeptPage page)
    {
        if (_pages.TryKeep(offset, out page))
        {
            return true;
        }

        // Not in memory, or leases are used up.
        Span<byte> first = stackalloc byte[1];
        _pages.Read(offset, first);
        if (_pages.TryKeep(offset, out page))
        {
            return true;
        }

        Drop();
        return _pages.TryKeep(offset, out page);
    }

    /// <summary>The newest first: cursors climb back as they went down.</summary>
    private void UnfetchOutside(nint page)
    {
        var held = CollectionsMarshal.AsSpan(_outside);
        for (var i = held.Length - 1; i >= 0; i--)
        {
            if (held[i].Address == page)
            {
                if (--held[i].Uses == 0)
                {
                    held[i].Page.Release();
                    held[i] = held[^1];
                    _outside.RemoveAt(held.Length - 1);
                }

                return;
            }
        }

        // SQLite computes some offsets in 32 bits.
        foreach (ref var slot in _slots.AsSpan())
        {
            if (slot.Uses > 0 && slot.Address == page)
            {
                slot.Uses--;
                return;
            }
        }
    }

    private struct Slot
    {
        /// <summary>The number of the page, and one; zero for an empty slot.</summary>
        public long Key;

        /// <summary>Where the page begins.</summary>
        public nint Address;

        public KeptPage Page;

        /// <summary>How often it was fetched and not given back.</summary>
        public int Uses;

        /// <summary>Who has come last and did not get the slot. A hint.</summary>
        public long LastComer;
    }
}
