using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>Something that is read. A structure, so that the compiler calls it without an indirection.</summary>
internal interface IReads
{
    void Read(long offset, Span<byte> destination);
}

/// <summary>A raw copy of a part of a page.</summary>
internal readonly struct RawReads(RawCopy raw) : IReads
{
    public void Read(long offset, Span<byte> destination) => raw.Read(offset, destination);
}

/// <summary>A raw copy of several pages.</summary>
internal readonly struct RawPageReads(RawCopy raw) : IReads
{
    public void Read(long offset, Span<byte> destination) => raw.ReadPages(offset, destination);
}

/// <summary><c>TryRead</c>.</summary>
internal readonly struct TryReads(MappedFile file) : IReads
{
    public void Read(long offset, Span<byte> destination)
    {
        if (!file.TryRead(offset, destination, out _))
        {
            throw new InvalidOperationException("A page that should be resident is not.");
        }
    }
}

/// <summary><c>Read</c>.</summary>
internal readonly struct SyncReads(MappedFile file) : IReads
{
    public void Read(long offset, Span<byte> destination) => file.Read(offset, destination);
}

/// <summary>A file of the system, read by a call.</summary>
internal readonly struct SystemReads(Microsoft.Win32.SafeHandles.SafeFileHandle file) : IReads
{
    public void Read(long offset, Span<byte> destination) => RandomAccess.Read(file, destination, offset);
}

/// <summary>Makes lanes that read at places from a long random order, each batch another part of it.</summary>
internal sealed class ReadOrder
{
    private const int Places = 1 << 18;

    private readonly long[] _offsets = new long[Places];
    private readonly byte[] _buffer;
    private readonly int _batch;

    /// <param name="fileBytes">The range that is read.</param>
    /// <param name="bytes">How much at a time.</param>
    /// <param name="batch">Reads in a batch: about half a millisecond.</param>
    public ReadOrder(long fileBytes, int bytes, int batch)
    {
        // Small reads begin anywhere in a page, but inside one; longer ones at a page.
        var random = new Random(11);
        for (var i = 0; i < _offsets.Length; i++)
        {
            var unit = Math.Max(bytes, 4096);
            var start = random.NextInt64(fileBytes / unit) * unit;
            _offsets[i] = bytes < 4096 ? start + (random.Next(4096 / bytes) * bytes) : start;
        }

        _buffer = GC.AllocateArray<byte>(bytes, pinned: true);
        _batch = batch;
    }

    public Lane Lane<TReads>(string name, TReads reads)
        where TReads : struct, IReads => new(name, _batch, number => Run(reads, Part(number)));

    public Lane AsyncLane(string name, MappedFile file) => new(name, _batch, number =>
    {
        var memory = _buffer.AsMemory();
        foreach (var offset in Part(number))
        {
            var read = file.ReadAsync(offset, memory);
            if (!read.IsCompletedSuccessfully)
            {
                throw new InvalidOperationException("A read that should be a hit waits.");
            }

            read.GetAwaiter().GetResult();
        }
    });

    private ReadOnlySpan<long> Part(int number) => _offsets.AsSpan((int)((uint)(number * _batch) % (Places - _batch)), _batch);

    private void Run<TReads>(TReads reads, ReadOnlySpan<long> offsets)
        where TReads : struct, IReads
    {
        Span<byte> buffer = _buffer;
        foreach (var offset in offsets)
        {
            reads.Read(offset, buffer);
        }
    }
}
