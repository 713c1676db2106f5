using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace SharedPageCache.Memory;

/// <summary>
/// A fixed array of plain values outside the GC heap, aligned to cache lines and zeroed. The caller guarantees the index
/// (asserted in debug builds): an index is a frame or bucket number that the core itself made.
/// </summary>
internal sealed unsafe class NativeArray<T>
    where T : unmanaged
{
    private readonly NativeBlock _block;
    private readonly T* _items;

    /// <param name="length">The number of items.</param>
    /// <param name="hugePages">Whether a large array, looked into at random, asks for huge pages.</param>
    public NativeArray(int length, bool hugePages = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        Length = length;
        var bytes = (nuint)length * (nuint)sizeof(T);
        _block = new NativeBlock(bytes, bytes >= Platform.HugePageSize ? (nuint)Platform.HugePageSize : 64);
        _items = (T*)_block.Pointer;
        if (hugePages && bytes >= Platform.HugePageSize)
        {
            Platform.AdviseHugePages((nint)_items, bytes, wanted: true);
        }

    }

    public int Length { get; }

    public long Bytes => (long)_block.Length;

    /// <summary>Has the processor fetch an item, and the cache line behind its beginning if it reaches there. A hint: it reads nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(int index)
    {
        if (Sse.IsSupported)
        {
            Debug.Assert((uint)index < (uint)Length, "index out of the native array");
            var item = (byte*)(_items + (uint)index);
            Sse.Prefetch0(item);
            Sse.Prefetch0(item + sizeof(T) - 1);
        }
    }

    public ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            Debug.Assert((uint)index < (uint)Length, "index out of the native array");
            return ref _items[(uint)index];
        }
    }
}
