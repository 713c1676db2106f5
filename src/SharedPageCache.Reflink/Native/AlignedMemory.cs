using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SharedPageCache.Reflink.Native;

/// <summary>Native memory that is aligned for unbuffered reads; a stand-in for buffers that are not.</summary>
internal sealed unsafe class AlignedMemory : MemoryManager<byte>
{
    private const int SmallestPage = 4096;

    private readonly int _length;
    private void* _memory;

    public AlignedMemory(int length, int alignment)
    {
        _length = length;
        _memory = NativeMemory.AlignedAlloc((nuint)length, (nuint)alignment);
    }

    /// <summary>Whether a file system may read into a buffer as it is: address and length are multiples.</summary>
    public static bool IsAligned(ReadOnlySpan<byte> buffer, int alignment)
    {
        // Only the number is used, and the cache's frames do not move.
        var address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(buffer));
        return ((address | (nuint)buffer.Length) & (nuint)(alignment - 1)) == 0;
    }

    /// <summary>
    /// Brings the memory of a buffer that is about to be overwritten into being. btrfs gives up an unbuffered read into
    /// memory that nobody has touched yet, and reads through the kernel's page cache instead.
    /// </summary>
    public static void Touch(Span<byte> buffer)
    {
        for (var i = 0; i < buffer.Length; i += SmallestPage)
        {
            Volatile.Write(ref buffer[i], 0);
        }
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
