using BenchmarkDotNet.Attributes;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Latency;

/// <summary>Faults, with a read of 8 bytes each: no I/O, I/O that costs nothing, and that with an eviction.</summary>
[MemoryDiagnoser]
public class FaultBenchmarks
{
    private const int Pages = 1 << 14;
    private const long FileBytes = (long)Pages << 12;

    private readonly byte[] _buffer = new byte[8];
    private PageCache _cache = null!;
    private CachedVolume _volume = null!;
    private MappedFile _file = null!;
    private MappedFile _stranger = null!;
    private PageCache _small = null!;
    private CachedVolume _smallVolume = null!;
    private MappedFile _evicting = null!;
    private long _offset;

    [GlobalSetup]
    public void Setup()
    {
        _cache = new PageCache(new PageCacheOptions { CapacityBytes = FileBytes * 2, MaxReadAheadPages = 0 });
        _volume = _cache.AttachVolume(new ZeroCostDevice(FileBytes));
        _file = _volume.OpenFile(new StraightExtents(0, FileBytes), FileBytes);
        _small = new PageCache(new PageCacheOptions { CapacityBytes = FileBytes / 4, MaxReadAheadPages = 0 });
        _smallVolume = _small.AttachVolume(new ZeroCostDevice(FileBytes));
        _evicting = _smallVolume.OpenFile(new StraightExtents(0, FileBytes), FileBytes);
        ReadAll(_evicting, 1);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _stranger?.Dispose();
        _file.Dispose();
        _volume.Dispose();
        _cache.Dispose();
        _evicting.Dispose();
        _smallVolume.Dispose();
        _small.Dispose();
    }

    /// <summary>The pages are in frames, the windows are known, and the file's references are not there.</summary>
    [IterationSetup(Target = nameof(Minor_fault))]
    public void BeforeMinor()
    {
        _stranger?.Dispose();
        _volume.Discard(new BlockRun(0, FileBytes));
        ReadAll(_file, 1);
        _stranger = _volume.OpenFile(new StraightExtents(4096, FileBytes - 4096), FileBytes - 4096);
        ReadAll(_stranger, 512);
    }

    [IterationSetup(Target = nameof(Major_fault))]
    public void BeforeMajor() => _volume.Discard(new BlockRun(0, FileBytes));

    [Benchmark(OperationsPerInvoke = Pages - 64)]
    public void Minor_fault()
    {
        for (var page = 0; page < Pages - 1; page++)
        {
            if (page % 512 != 0)
            {
                _stranger.Read((long)page << 12, _buffer);
            }
        }
    }

    [Benchmark(OperationsPerInvoke = Pages)]
    public void Major_fault() => ReadAll(_file, 1);

    [Benchmark]
    public int Major_fault_with_eviction()
    {
        _offset = (_offset + 4096) & (FileBytes - 1);
        return _evicting.Read(_offset, _buffer);
    }

    private void ReadAll(MappedFile file, int step)
    {
        for (long offset = 0; offset < file.Length; offset += (long)step << 12)
        {
            file.Read(offset, _buffer);
        }
    }
}
