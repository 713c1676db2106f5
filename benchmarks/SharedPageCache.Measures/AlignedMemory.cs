using System.Buffers;
using System.Runtime.InteropServices;

namespace SharedPageCache.Measures;

/// <summary>Buffers that direct I/O takes.</summary>
public sealed unsafe class AlignedMemory : IDisposable
{
    private readonly byte* _memory;
    private readonly Piece[] _pieces;

    /// <param name="count">How many.</param>
    /// <param name="bytes">How long each.</param>
    public AlignedMemory(int count, int bytes)
    {
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)count * (nuint)bytes, 4096);
        _pieces = new Piece[count];
        for (var i = 0; i < count; i++)
        {
            _pieces[i] = new Piece(_memory + ((nint)i * bytes), bytes);
        }
    }

    /// <summary>One of them.</summary>
    public Memory<byte> this[int index] => _pieces[index].Memory;

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private sealed class Piece(byte* start, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => new(start, length);

        public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
