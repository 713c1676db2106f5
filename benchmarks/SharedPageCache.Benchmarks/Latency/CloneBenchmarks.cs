using BenchmarkDotNet.Attributes;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Latency;

/// <summary>Clones: time and bytes against the size of the file, with an engine hook that does nothing.</summary>
[MemoryDiagnoser]
public class CloneBenchmarks
{
    private PageCache _cache = null!;
    private CachedVolume _volume = null!;
    private MappedFile _file = null!;

    [Params(1L << 20, 1L << 30, 1L << 40)]
    public long FileBytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _cache = new PageCache(new PageCacheOptions { CapacityBytes = 64 << 20 });
        _volume = _cache.AttachVolume(new ZeroCostDevice(1L << 41));
        _file = _volume.OpenFile(new StraightExtents(0, FileBytes), FileBytes);
        for (var i = 0; i < 64; i++)
        {
            _file.Read(FileBytes / 64 * i, new byte[8]);
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _file.Dispose();
        _volume.Dispose();
        _cache.Dispose();
    }

    [Benchmark]
    public void CloneAndClose() => _file.Clone().Dispose();
}
