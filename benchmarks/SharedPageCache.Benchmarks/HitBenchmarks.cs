using BenchmarkDotNet.Attributes;

namespace SharedPageCache.Benchmarks;

/// <summary>Hits: a page that is in memory, by the ways of reading it.</summary>
[MemoryDiagnoser]
public class HitBenchmarks
{
    private const long FileBytes = 64 << 20;

    private readonly byte[] _buffer = new byte[4096];
    private readonly int[] _order = new int[1024];
    private PageCache _cache = null!;
    private CachedVolume _volume = null!;
    private MappedFile _file = null!;
    private MappedFile _clone = null!;
    private int _next;

    [Params(8, 64, 4096)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _cache = new PageCache(new PageCacheOptions { CapacityBytes = 128 << 20 });
        _volume = _cache.AttachVolume(new ZeroCostDevice(FileBytes));
        _file = _volume.OpenFile(new StraightExtents(0, FileBytes), FileBytes);
        var whole = new byte[1 << 20];
        for (long offset = 0; offset < FileBytes; offset += whole.Length)
        {
            _file.Read(offset, whole);
        }

        _clone = _file.Clone();
        var random = new Random(1);
        for (var i = 0; i < _order.Length; i++)
        {
            _order[i] = random.Next((int)(FileBytes >> 12)) << 12;
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _clone.Dispose();
        _file.Dispose();
        _volume.Dispose();
        _cache.Dispose();
    }

    [Benchmark(Baseline = true)]
    public bool TryRead() => _file.TryRead(Next(), _buffer.AsSpan(0, Bytes), out _);

    [Benchmark]
    public int Read() => _file.Read(Next(), _buffer.AsSpan(0, Bytes));

    [Benchmark]
    public ValueTask<int> ReadAsync() => _file.ReadAsync(Next(), _buffer.AsMemory(0, Bytes));

    [Benchmark]
    public bool TryRead_through_a_clone() => _clone.TryRead(Next(), _buffer.AsSpan(0, Bytes), out _);

    [Benchmark]
    public int Lease()
    {
        _file.TryPin(Next(), out var lease);
        using (lease)
        {
            return lease.Span[0];
        }
    }

    private int Next() => _order[_next++ & (_order.Length - 1)];
}
