using System.Runtime.InteropServices;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>Memory for pages, aligned for direct I/O and never moved by the garbage collector.</summary>
internal sealed class PageSlots
{
    private const int SlabBytes = 64 << 20;

    private readonly Memory<byte>[] _slabs;
    private readonly int _slotsInSlab;
    private readonly int _pageSize;

    /// <summary>Allocates slots.</summary>
    /// <param name="count">The number of pages.</param>
    /// <param name="pageSize">Their size in bytes, a power of two.</param>
    public PageSlots(int count, int pageSize)
    {
        Count = count;
        _pageSize = pageSize;
        _slotsInSlab = SlabBytes / pageSize;
        _slabs = new Memory<byte>[(count + _slotsInSlab - 1) / _slotsInSlab];
        for (int slab = 0; slab < _slabs.Length; slab++)
            _slabs[slab] = Allocate(Math.Min(_slotsInSlab, count - (slab * _slotsInSlab)) * pageSize, pageSize);
    }

    /// <summary>The number of slots.</summary>
    public int Count { get; }

    /// <summary>The memory of one slot.</summary>
    /// <param name="slot">Zero-based number of the slot.</param>
    public Memory<byte> this[int slot] =>
        _slabs[slot / _slotsInSlab].Slice(slot % _slotsInSlab * _pageSize, _pageSize);

    private static Memory<byte> Allocate(int bytes, int alignment)
    {
        byte[] array = GC.AllocateUninitializedArray<byte>(bytes + alignment, pinned: true);
        long address = Marshal.UnsafeAddrOfPinnedArrayElement(array, 0);
        return array.AsMemory((int)(-address & (alignment - 1)), bytes);
    }
}
