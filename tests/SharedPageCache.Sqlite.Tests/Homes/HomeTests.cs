using System.Runtime.Versioning;
using SharedPageCache.Cow;
using SharedPageCache.Sqlite.Homes;
using SharedPageCache.Sqlite.Tests.Support;

namespace SharedPageCache.Sqlite.Tests.Homes;

/// <summary>What a home has begun and cannot end leaves nothing.</summary>
public sealed class HomeTests
{
    [Fact]
    public async Task A_clone_that_gets_no_name_is_given_up()
    {
        var disk = new SectorDevice(8 << 20, 4096);
        using (var cache = new PageCache(new PageCacheOptions { CapacityBytes = 4 << 20 }))
        {
            await using var home = new VolumeHome(CowVolume.Create(disk), "disk", cache);
            var file = home.Create("file");
            file.Write(new byte[9000], 0);
            Assert.ThrowsAny<IOException>(() => home.Clone(file, "file"));
            Assert.Equal(1, cache.GetStatistics().OpenFiles);
            Assert.Equal(["file"], home.Names);
            Assert.Equal(9000, home.Clone(file, "clone").Length);
            await home.FlushAsync(default);
            cache.Verify();
        }

        using var volume = CowVolume.Open(disk);
        Assert.Equal(["clone", "file"], volume.Files.Select(static file => file.Name).Order(StringComparer.Ordinal));
        Assert.True(volume.Check().IsClean);
    }

    [Theory]
    [SupportedOSPlatform("linux")]
    [OnXfs]
    [OnBtrfs]
    public async Task A_file_that_cannot_be_opened_is_not_made(HomeKind kind)
    {
        using var folder = new TemporaryFolder(kind);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 4 << 20 });
        var home = new DirectoryHome(folder.PathOf(""), cache);
        home.Create("file");
        await home.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => home.Create("late"));
        Assert.Equal([".spc-lock", ".spc-probe", "file"], Directory.GetFiles(folder.PathOf("")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        cache.Verify();
    }
}
