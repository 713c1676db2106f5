using System.Runtime.InteropServices;

namespace SharedPageCache.Measures.Files;

/// <summary>
/// The bound of every hit: a copy out of the same kind of memory through one random indirection (an array of addresses
/// with one entry for each page).
/// </summary>
public sealed unsafe class RawCopy : IDisposable
{
    private const int HugePage = 2 << 20;
    private const int AdviseHugePage = 14;

    private readonly byte* _memory;
    private readonly nint[] _pages;
    private readonly int _shift;

    /// <param name="pages">How many pages.</param>
    /// <param name="pageSize">Their size, a power of two.</param>
    public RawCopy(int pages, int pageSize)
    {
        var length = (nuint)pages * (nuint)pageSize;
        _memory = (byte*)NativeMemory.AlignedAlloc(length, HugePage);
        _shift = int.Log2(pageSize);
        if (OperatingSystem.IsLinux())
        {
            _ = madvise((nint)_memory, length, AdviseHugePage);
        }

        NativeMemory.Fill(_memory, length, 1);
        _pages = new nint[pages];
        for (var i = 0; i < pages; i++)
        {
            _pages[i] = (nint)(_memory + ((nuint)i * (nuint)pageSize));
        }

        new Random(7).Shuffle(_pages);
    }

    /// <summary>Copies from inside one page.</summary>
    public void Read(long offset, Span<byte> destination)
    {
        var inPage = (int)offset & ((1 << _shift) - 1);
        new ReadOnlySpan<byte>((byte*)_pages[(int)(offset >> _shift)] + inPage, destination.Length).CopyTo(destination);
    }

    /// <summary>Copies whole pages in a row: an indirection for each.</summary>
    public void ReadPages(long offset, Span<byte> destination)
    {
        for (var page = (int)(offset >> _shift); destination.Length > 0; page++)
        {
            new ReadOnlySpan<byte>((byte*)_pages[page], 1 << _shift).CopyTo(destination);
            destination = destination[(1 << _shift)..];
        }
    }

    /// <summary>Copies into one page.</summary>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        var inPage = (int)offset & ((1 << _shift) - 1);
        source.CopyTo(new Span<byte>((byte*)_pages[(int)(offset >> _shift)] + inPage, source.Length));
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);

    [DllImport("libc")]
    private static extern int madvise(nint address, nuint length, int advice);
}
