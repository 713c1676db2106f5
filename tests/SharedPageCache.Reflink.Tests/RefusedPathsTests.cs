using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests;

/// <summary>What cannot be opened says why. Needs no file system of its own but for one test.</summary>
public sealed class RefusedPathsTests : IDisposable
{
    private readonly PageCache _cache = new(new PageCacheOptions { CapacityBytes = 8 << 20 });
    private readonly ReflinkStore _store;
    private readonly string _folder = Directory.CreateTempSubdirectory("reflink-test-").FullName;

    public RefusedPathsTests() => _store = new ReflinkStore(_cache);

    public void Dispose()
    {
        _cache.Verify();
        _store.Dispose();
        _cache.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_file_of_tmpfs_is_refused_by_name()
    {
        var path = $"/dev/shm/{Guid.NewGuid():n}";
        File.WriteAllText(path, "x");
        try
        {
            var error = Assert.Throws<NotSupportedException>(() => _store.Open(path));

            Assert.Contains("tmpfs", error.Message, StringComparison.Ordinal);
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
            Assert.False(ReflinkStore.CanOpen(path, out var reason));
            Assert.Equal(error.Message, reason);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void What_is_no_regular_file_is_refused()
    {
        var pipe = Path.Combine(_folder, "pipe");
        Command.Run("mkfifo", pipe);
        Assert.Throws<NotSupportedException>(() => _store.Open(_folder));
        Assert.Throws<NotSupportedException>(() => _store.Open(pipe));
        Assert.Throws<NotSupportedException>(() => _store.Open("/dev/null"));
    }

    [Fact]
    public void What_does_not_exist_is_not_found()
    {
        Assert.Throws<FileNotFoundException>(() => _store.Open(Path.Combine(_folder, "none")));
        Assert.Throws<DirectoryNotFoundException>(() => _store.Open(Path.Combine(_folder, "none", "none")));
        Assert.False(ReflinkStore.CanOpen(Path.Combine(_folder, "none"), out _));
    }

    [Fact]
    public void Misuse_is_an_argument_exception()
    {
        Assert.Throws<ArgumentNullException>(() => _store.Open(null!));
        Assert.Throws<ArgumentException>(() => _store.Open(""));
        Assert.Throws<ArgumentNullException>(() => new ReflinkStore(null!));
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 8 << 20 });
        Assert.Throws<ArgumentException>(
            () => new ReflinkStore(cache, new ReflinkStoreOptions { ChangeCheck = (ReflinkChangeCheck)7 }));
        new ReflinkStore(cache).Dispose();
    }

    [ReflinkFact(Xfs)]
    public void A_file_that_can_be_opened_says_so()
    {
        using var mount = LoopMount.Make(Xfs);
        var path = Path.Combine(mount.Root, "file");
        File.WriteAllText(path, "x");

        Assert.True(ReflinkStore.CanOpen(path, out var reason));
        Assert.Null(reason);
    }
}
