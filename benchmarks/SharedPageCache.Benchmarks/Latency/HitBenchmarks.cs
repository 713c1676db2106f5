using BenchmarkDotNet.Attributes;
using SharedPageCache.Benchmarks.Bars;

namespace SharedPageCache.Benchmarks.Latency;

/// <summary>Hits: a page that is in memory, by the ways of reading it. All of 1 GiB at random, or a part that the second-level cache holds.</summary>
[MemoryDiagnoser]
public class HitBenchmarks
{
    private const long FileBytes = 1L << 30;
    private const int Places = 1 << 16;

    private readonly byte[] _buffer = GC.AllocateArray<byte>(4096, pinned: true);
    private readonly long[] _order = new long[Places];
    private Stage _stage = null!;
    private MappedFile _clone = null!;
    private int _next;

    /// <summary>How much is copied.</summary>
    [Params(8, 64, 4096)]
    public int Bytes { get; set; }

    /// <summary>How much of the file is read, from its start.</summary>
    [Params(FileBytes, 512L << 10)]
    public long Range { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _stage = new Stage(FileBytes);
        _clone = HitBars.CloneOfClones(_stage.File, 3);
        var random = new Random(1);
        for (var i = 0; i < _order.Length; i++)
        {
            _order[i] = random.NextInt64(Range >> 12) << 12;
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _clone.Dispose();
        _stage.Dispose();
    }

    [Benchmark(Baseline = true)]
    public bool TryRead() => _stage.File.TryRead(Next(), _buffer.AsSpan(0, Bytes), out _);

    [Benchmark]
    public int Read() => _stage.File.Read(Next(), _buffer.AsSpan(0, Bytes));

    [Benchmark]
    public ValueTask<int> ReadAsync() => _stage.File.ReadAsync(Next(), _buffer.AsMemory(0, Bytes));

    [Benchmark]
    public bool TryRead_through_a_clone() => _clone.TryRead(Next(), _buffer.AsSpan(0, Bytes), out _);

    [Benchmark]
    public int Lease()
    {
        _stage.File.TryPin(Next(), out var lease);
        using (lease)
        {
            return lease.Span[0];
        }
    }

    private long Next() => _order[_next++ & (Places - 1)];
}
