using System.Buffers;
using System.Runtime.InteropServices;

namespace SharedPageCache.Cow.Native;

/// <summary>Zeroed native memory that a device opened for unbuffered I/O can use as it is.</summary>
internal sealed unsafe class AlignedMemory : MemoryManager<byte>
{
    /// <summary>Enough for any disk, whose logical blocks are smaller than this.</summary>
    private const int Alignment = 64 << 10;

    private readonly int _length;
    private void* _memory;

    public AlignedMemory(int length)
    {
        _length = length;
        _memory = NativeMemory.AlignedAlloc((nuint)length, Alignment);
        GetSpan().Clear();
    }

    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_memory is null, this);
        return new Span<byte>(_memory, _length);
    }

    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)_memory + elementIndex, pinnable: this);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }
}
