using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>Equal content that came from different places is shared when the user asks for it.</summary>
public sealed class DedupeTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "L29")]
    [Trait("Row", "B11")]
    public async Task An_image_that_was_pulled_twice_takes_half_of_the_blocks_and_of_the_memory_after_one_pass_and_each_may_diverge()
    {
        const int Length = (1500 * Page) + 100;
        const int Pages = 1501;
        using var path = new TemporaryFile();
        var image = WriteBack.Bytes(Length, 1);
        var changed = image.ToArray();
        WriteBack.Bytes(10, 2).CopyTo(changed, 3 * Page);
        using (var volume = CowVolume.Create(path.Path, new CowVolumeOptions { CapacityBytes = 64 << 20 }))
        {
            // Two pulls know nothing of each other.
            foreach (var name in (string[])["one", "two"])
            {
                using var puller = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20, PageSize = Page });
                await using var attached = volume.Attach(puller);
                await using var file = attached.OpenFile(volume.CreateFile(name), 0);
                await file.WriteAsync(0, image);
            }

            using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 32 << 20, PageSize = Page });
            await using var cached = volume.Attach(cache);
            await using var one = cached.OpenFile(volume.OpenFile("one"), Length);
            await using var two = cached.OpenFile(volume.OpenFile("two"), Length);
            Assert.Equal(image, ReadAll(one));
            Assert.Equal(image, ReadAll(two));
            Assert.Equal((2 * Pages, 2L * Pages * Page), (volume.GetStatistics().ContentBlocks, cache.GetStatistics().ResidentBytes));

            // One pass, while both are open and in use.
            Assert.Equal(Length, await two.DedupeAsync(one, 0, 0, Length));
            await cached.FlushAsync();
            await volume.ReclaimAsync();
            var reads = cache.GetStatistics().DevicePagesRead;
            Assert.Equal(image, ReadAll(one));
            Assert.Equal(image, ReadAll(two));
            Assert.Equal(reads, cache.GetStatistics().DevicePagesRead);
            Assert.Equal((Pages, (long)Pages * Page), (volume.GetStatistics().ContentBlocks, cache.GetStatistics().ResidentBytes));
            var places = cached.FindReferences(new BlockRun(BlockOf((CowFile)one.Extents, 7), Page)).Select(static place => (place.Extents, place.Offset));
            Assert.Equal([(one.Extents, 7L * Page), (two.Extents, 7L * Page)], places.OrderBy(place => place.Extents == two.Extents));

            // Either goes its own way: one page more, in memory and on disk.
            await one.WriteAsync(3 * Page, changed.AsMemory(3 * Page, 10));
            Assert.Equal(changed, ReadAll(one));
            Assert.Equal(image, ReadAll(two));
            await cached.FlushAsync();
            Assert.Equal(Pages + 1, volume.GetStatistics().ContentBlocks);
            Assert.Equal(changed, ReadAll(one));
            Assert.Equal(image, ReadAll(two));
            Assert.Equal((Pages + 1L) * Page, cache.GetStatistics().ResidentBytes);
            cache.Verify();
            volume.AssertClean();
        }

        using var again = CowVolume.Open(path.Path);
        Assert.Equal(changed, again.ReadAll(again.OpenFile("one")));
        Assert.Equal(image, again.ReadAll(again.OpenFile("two")));
    }

    private static long BlockOf(CowFile file, long page)
    {
        var extent = file.Extents().Single(extent => extent.FileOffset <= page * Page && page * Page < extent.FileEnd);
        return extent.PhysicalOffset + ((page * Page) - extent.FileOffset);
    }

    private static byte[] ReadAll(MappedFile file)
    {
        var bytes = new byte[file.Length];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        return bytes;
    }
}
