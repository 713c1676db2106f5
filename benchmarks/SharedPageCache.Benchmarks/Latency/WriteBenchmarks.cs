using BenchmarkDotNet.Attributes;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Latency;

/// <summary>Writes of 4 KiB in memory; nothing is written back.</summary>
[MemoryDiagnoser]
public class WriteBenchmarks
{
    private const long FileBytes = 256L << 20;

    private readonly byte[] _page = new byte[4096];
    private PageCache _cache = null!;
    private CachedVolume _volume = null!;
    private MappedFile _file = null!;
    private MappedFile _private = null!;
    private long _offset;

    [GlobalSetup]
    public void Setup()
    {
        _cache = new PageCache(new PageCacheOptions
        {
            CapacityBytes = 4 * FileBytes, DirtyLimitBytes = FileBytes, DirtyThrottleBytes = FileBytes, DirtyStartBytes = FileBytes,
            DirtyAge = TimeSpan.FromDays(1),
        });
        var engine = new DirtyFile(FileBytes);
        _volume = _cache.AttachVolume(new ZeroCostDevice(FileBytes), new VolumeOptions { Placement = engine });
        _file = _volume.OpenFile(engine, FileBytes);
        _private = _volume.OpenFile(new DirtyFile(), FileBytes / 4);
        for (long offset = 0; offset < FileBytes; offset += _page.Length)
        {
            _file.Read(offset, _page);
            if (offset < _private.Length)
            {
                _private.Write(offset, _page);
            }
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _private.Delete();
        _file.Dispose();
        _volume.Dispose();
        _cache.Dispose();
    }

    [Benchmark]
    public void Write_to_a_private_page() => _private.Write(Next() % _private.Length, _page);

    [Benchmark]
    public void Clone_and_delete() => _file.Clone().Delete();

    /// <summary>Less the one before it: the first write after a clone.</summary>
    [Benchmark]
    public void Clone_write_and_delete()
    {
        var clone = _file.Clone();
        clone.Write(Next(), _page);
        clone.Delete();
    }

    private long Next() => _offset = (_offset + (7919L * 4096)) % FileBytes;
}
