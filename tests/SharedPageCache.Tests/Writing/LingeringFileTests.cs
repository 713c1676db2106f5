using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Files that are closed while they have dirty pages, or while a write-back is under way: they go as soon as nothing of them is owed.</summary>
public class LingeringFileTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "E2")]
    public async Task What_has_nothing_dirty_goes_at_once_though_a_write_back_is_under_way()
    {
        using var cache = new WriteCache();
        var (file, clean) = (cache.OpenMapped(4), cache.OpenMapped(4));
        file.Write(0, Bytes(1, 2 * Page));
        var deleted = file.Clone();
        var (before, meanwhile, dirty) = (cache.Volume.OpenFiles, 0, 0);
        cache.Device.BeforeFlush = () =>
        {
            clean.Dispose();
            deleted.Delete();
            deleted.Dispose();
            using (var branch = file.Clone())
            {
                branch.Delete();
            }

            meanwhile = cache.Volume.OpenFiles;
            file.Clone().Dispose();
            dirty = cache.Volume.OpenFiles;
        };
        await file.FlushAsync();
        cache.Device.BeforeFlush = null;
        Assert.Equal((before - 2, before - 1), (meanwhile, dirty));
        Assert.Equal(before - 2, cache.Volume.OpenFiles);
        Assert.Equal(Bytes(1, 2 * Page), cache.DurableOf(file)[..(2 * Page)]);
    }

    [Fact]
    [Trait("Contract", "C9")]
    [Trait("Row", "E9")]
    public void Closed_files_with_dirty_pages_are_written_before_they_fill_the_room_for_metadata()
    {
        using var cache = new WriteCache(deviceLength: 64 << 20, configure: static options => (options.ExactFrameCount, options.CapacityBytes) = (null, 1 << 20));
        var file = cache.OpenMapped(4);
        for (var i = 0; i < 3000; i++)
        {
            if (cache.Figures.DirtyBytes == 0)
            {
                file.Write(0, Bytes(i, 10));
            }

            file.Clone().Dispose();
            Bounded.Until(() => cache.Volume.OpenFiles <= 200, "closed files are written and go");
        }

        Assert.True(cache.Figures.PagesWritten > 0);
    }
}
