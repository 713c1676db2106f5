using BenchmarkDotNet.Attributes;
using SharedPageCache.Benchmarks.Bars;

namespace SharedPageCache.Benchmarks.Latency;

/// <summary>Who shows a block, and whether all is as it should be.</summary>
[MemoryDiagnoser]
public class QueryBenchmarks
{
    private const long FileBytes = 64L << 20;

    private readonly List<MappedFile> _clones = [];
    private Stage _stage = null!;
    private long _offset;

    /// <summary>How many files show each block.</summary>
    [Params(1, 100)]
    public int Files { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _stage = new Stage(FileBytes);
        for (var i = 1; i < Files; i++)
        {
            _clones.Add(_stage.File.Clone());
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _clones.ForEach(static clone => clone.Dispose());
        _clones.Clear();
        _stage.Dispose();
    }

    [Benchmark]
    public int Reverse_query_of_a_block()
    {
        _offset = (_offset + (7919L * 4096)) % FileBytes;
        return _stage.Volume.FindReferences(new BlockRun(_offset, 4096)).Count();
    }

    /// <summary>Of 16,384 pages.</summary>
    [Benchmark]
    public void Verify() => _stage.Cache.Verify();
}
