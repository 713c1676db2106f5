using System.Diagnostics;
using System.Runtime.CompilerServices;

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

    public NativeArray(int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        Length = length;
        _block = new NativeBlock((nuint)length * (nuint)sizeof(T), 64);
        _items = (T*)_block.Pointer;
    }

    public int Length { get; }

    public long Bytes => (long)_block.Length;

    public ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            Debug.Assert((uint)index < (uint)Length, "index out of the native array");
            return ref _items[index];
        }
    }
}
