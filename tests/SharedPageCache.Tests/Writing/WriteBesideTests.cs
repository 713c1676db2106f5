using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Bad blocks and direct writes on a volume that is written through the cache too.</summary>
public class WriteBesideTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "L37")]
    public async Task A_dirty_page_does_not_show_the_bad_block_that_it_was_made_from()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var clone = cache.Own(file.Clone());
        clone.Write(Page, Bytes(1, Page));
        file.Write(2 * Page + 5, Bytes(2, 5));
        var dirty = Read(file, 2 * Page, Page);
        var told = cache.Volume.ReportBadBlocks(new BlockRun(0, 4 * Page));
        Assert.Equal(6, told.Count);
        Assert.DoesNotContain(told, place => (place.Extents == clone.Extents && place.Offset == Page) || (place.Extents == file.Extents && place.Offset == 2 * Page));
        Assert.Equal(Bytes(1, Page), Read(clone, Page, Page));
        Assert.Equal(dirty, Read(file, 2 * Page, Page));
        Assert.Throws<PageLoadException>(() => Read(file, Page, 1));

        // A part of a page cannot be written over bytes that cannot be read; a whole page can.
        Assert.Throws<PageLoadException>(() => file.Write(Page + 1, Bytes(3, 1)));
        file.Write(Page, Bytes(3, Page));
        Assert.Equal(Bytes(3, Page), Read(file, Page, Page));
        await cache.Volume.FlushAsync();
        Assert.Equal(Bytes(3, Page), Read(file, Page, Page));
        Assert.Throws<PageLoadException>(() => Read(file, 0, 1));
    }

    [Fact]
    [Trait("Row", "L37")]
    public async Task A_block_that_was_written_back_in_place_is_good_again()
    {
        using var cache = new WriteCache(inPlace: true);
        var file = cache.OpenMapped(2);
        cache.Volume.ReportBadBlocks(new BlockRun(0, 2 * Page));
        file.Write(0, Bytes(1, Page));
        await file.FlushAsync();
        Assert.Equal(0, ((PageEngine.PageFile)file.Extents).Blocks[0]);
        EvictAll(cache);
        Assert.Equal(Bytes(1, Page), Read(file, 0, Page));
        Assert.Throws<PageLoadException>(() => Read(file, Page, 1));
    }

    [Fact]
    [Trait("Row", "L37")]
    [Trait("Row", "E8")]
    public async Task A_repair_takes_sealed_pages_only()
    {
        using var cache = new WriteCache(seal: new LastWordSeal());
        var file = cache.OpenNew(2 * Page);
        file.Write(0, Bytes(1, 2 * Page));
        await file.FlushAsync();
        var block = ((PageEngine.PageFile)file.Extents).Blocks[1];
        var run = new BlockRun(block * Page, Page);
        var good = cache.Device.Copy(run.Offset, Page);
        cache.Device.Bytes.Slice((int)run.Offset, Page).Clear();
        cache.Volume.ReportBadBlocks(run);
        var writes = cache.Device.Writes;
        var wrong = good.ToArray();
        wrong[9] ^= 1;
        await Assert.ThrowsAsync<ArgumentException>(() => cache.Volume.RepairAsync(run, wrong).AsTask());
        Assert.Equal(writes, cache.Device.Writes);
        Assert.Throws<PageLoadException>(() => Read(file, Page, 1));
        await cache.Volume.RepairAsync(run, good);
        Assert.Equal(good, Read(file, Page, Page));
    }

    [Fact]
    [Trait("Row", "F6")]
    public async Task A_direct_write_and_a_write_back_of_one_block_are_not_under_way_together()
    {
        using var cache = new WriteCache(inPlace: true);
        var file = cache.OpenMapped(2);
        file.Write(0, Bytes(1, Page));
        cache.Device.BeforeWrite = run =>
        {
            Assert.Throws<InvalidOperationException>(() => cache.Volume.BeginDirectWrite(run));
            return Task.CompletedTask;
        };
        await file.FlushAsync();
        cache.Device.BeforeWrite = null;
        file.Write(0, Bytes(2, Page));
        using (cache.Volume.BeginDirectWrite(new BlockRun(0, Page)))
        {
            // The page that is dirty is newer than its block: it is read, and waits for the block.
            Assert.Equal(Bytes(2, Page), Read(file, 0, Page));
            var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
            Assert.Equal("Place", error.Step);
        }

        await file.FlushAsync();
        Assert.Equal(Bytes(2, Page), cache.DurableOf(file)[..Page]);
    }

    private static void EvictAll(WriteCache cache)
    {
        var rooms = cache.Cache.Engine.Rooms;
        var evicted = new Stack<int>();
        while (rooms.Reclaimer.TryEvict(out var frame))
        {
            evicted.Push(frame);
        }

        while (evicted.TryPop(out var frame))
        {
            rooms.Pool.Push(frame);
        }
    }
}
