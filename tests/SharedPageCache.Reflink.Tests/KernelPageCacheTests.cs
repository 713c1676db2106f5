using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink.Tests;

/// <summary>Works on any file system, so it needs none of its own.</summary>
public sealed class KernelPageCacheTests : IDisposable
{
    private const int Length = 300_000;

    private readonly string _path = Path.GetTempFileName();

    public KernelPageCacheTests()
    {
        using FileStream file = File.OpenWrite(_path);
        file.Write(new byte[Length]);
        file.Flush(flushToDisk: true);
    }

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void What_was_written_is_cached_to_whole_pages()
    {
        var page = Environment.SystemPageSize;

        Assert.Equal((Length + page - 1) / page * page, KernelPageCache.GetCachedBytes(_path));
    }

    [Fact]
    public void Both_ways_of_counting_agree()
    {
        using var file = File.OpenHandle(_path);

        Assert.Equal(KernelPages.CountBytes(file, _path, Length), KernelPages.CountByMapping(file, _path, Length));
    }

    [Fact]
    public void A_file_that_does_not_exist_is_not_found()
    {
        Assert.Throws<FileNotFoundException>(() => KernelPageCache.GetCachedBytes(_path + ".none"));
        Assert.Throws<FileNotFoundException>(() => KernelPageCache.Drop(_path + ".none"));
    }
}
