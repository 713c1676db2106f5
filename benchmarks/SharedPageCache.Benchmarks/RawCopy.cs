using System.Runtime.InteropServices;

namespace SharedPageCache.Benchmarks;

/// <summary>
/// The bound of every hit: a copy out of the same kind of memory through one random indirection (an array of addresses
/// with one entry for each page).
/// </summary>
internal sealed unsafe class RawCopy : IDisposable
{
    private readonly byte* _memory;
    private readonly nint[] _pages;

    public RawCopy(int pages, int pageSize)
    {
        var length = (nuint)pages * (nuint)pageSize;
        _memory = (byte*)NativeMemory.AlignedAlloc(length, 2 << 20);
        _ = madvise((nint)_memory, length, 14);
        new Span<byte>(_memory, (int)Math.Min(length, int.MaxValue)).Fill(1);
        _pages = new nint[pages];
        for (var i = 0; i < pages; i++)
        {
            _pages[i] = (nint)(_memory + (nuint)i * (nuint)pageSize);
        }

        new Random(7).Shuffle(_pages);
    }

    public void Read(int page, int offset, Span<byte> destination) =>
        new ReadOnlySpan<byte>((byte*)_pages[page] + offset, destination.Length).CopyTo(destination);

    public void Write(int page, ReadOnlySpan<byte> source) => source.CopyTo(new Span<byte>((byte*)_pages[page], source.Length));

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    [DllImport("libc")]
    private static extern int madvise(nint address, nuint length, int advice);
}
