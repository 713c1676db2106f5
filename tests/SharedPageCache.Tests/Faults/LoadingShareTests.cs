using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Faults;

/// <summary>The frames that a volume has loading are counted, and counted down again.</summary>
public class LoadingShareTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Loads_that_are_over_do_not_count_against_their_volume(int pages)
    {
        using var cache = new TestCache(frames: 64);
        var file = cache.OpenRun(0, 1 << 20);
        for (var page = 0; page + pages <= 256; page += pages)
        {
            Files.AssertSame(cache.Device.Copy(page * 4096, pages * 4096), file.ReadAt(page * 4096, pages * 4096));
        }

        Assert.Equal((0, 256), (cache.Figures.ReadsAround, cache.Figures.DevicePagesRead));
    }
}
