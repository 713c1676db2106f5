using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>When blocks are used again: not while a state on disk needs them, and not before they were discarded.</summary>
public sealed class SpaceReuseTests
{
    private const int Block = 4096;

    [Fact]
    public async Task Blocks_of_a_deleted_file_wait_until_both_superblocks_do_without_them()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        await volume.WriteAsync(volume.CreateFile("file"), 0, WriteBack.Bytes(100 * Block, 1));
        await volume.CommitAsync();
        var file = volume.OpenFile("file");
        var run = file.Extents().Single();
        volume.Delete("file");
        file.Dispose();
        Assert.Equal(101, volume.GetStatistics().PendingBlocks); // with the file's only node
        await AssertNotPlaced();
        volume.CreateFile("a");
        await volume.CommitAsync();
        Assert.InRange(volume.GetStatistics().PendingBlocks, 100, 110);
        await AssertNotPlaced();
        volume.AssertClean();
        volume.CreateFile("b");
        await volume.CommitAsync();
        Assert.InRange(volume.GetStatistics().PendingBlocks, 0, 10);
        volume.AssertClean();
        Assert.Equal(run.PhysicalOffset, (await volume.PlaceAsync(100 * Block, new BlockRun(run.PhysicalOffset - Block, Block))).Single().Offset);
        volume.AssertClean();

        async Task AssertNotPlaced()
        {
            var placed = (await volume.PlaceAsync(100 * Block, new BlockRun(run.PhysicalOffset - Block, Block))).Single();
            Assert.False(placed.Overlaps(new BlockRun(run.PhysicalOffset, run.Length)));
            volume.Placement.Abandon(placed);
        }
    }

    [Fact]
    public async Task Place_reclaims_by_itself_when_room_is_short()
    {
        using var volume = CowVolume.Create(new SectorDevice(2 << 20, Block));
        var file = volume.CreateFile("file");
        for (var i = 0; i < 20; i++)
        {
            // More than half of the room each time: without reuse the second round fails.
            await volume.WriteAsync(file, 0, WriteBack.Bytes(200 * Block, i));
            await volume.CommitAsync();
            Assert.Equal(WriteBack.Bytes(200 * Block, i), volume.ReadAll(file));
            volume.AssertClean();
        }
    }

    [Fact]
    public async Task Room_that_only_anonymous_files_had_is_used_again_without_a_word_to_the_disk()
    {
        var device = new SectorDevice(2 << 20, Block);
        using var volume = CowVolume.Create(device);
        await volume.WriteAsync(volume.CreateFile("file"), 0, WriteBack.Bytes(Block, 0));
        await volume.CommitAsync();
        await volume.ReclaimAsync();
        var commits = volume.GetStatistics().Commits;
        using var scratch = volume.OpenFile("file").Clone();
        for (var i = 0; i < 20; i++)
        {
            await volume.WriteAsync(scratch, 0, WriteBack.Bytes(200 * Block, i));
            Assert.Equal(WriteBack.Bytes(200 * Block, i), volume.ReadAll(scratch));
            volume.AssertClean();
        }

        Assert.Equal(commits, volume.GetStatistics().Commits);
        Assert.Equal(WriteBack.Bytes(Block, 0), volume.ReadAll(volume.OpenFile("file")));
    }

    [Fact]
    public async Task The_cache_is_told_before_a_block_is_used_again_and_shows_the_new_file()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20, PageSize = Block });
        using var volume = CowVolume.Create(new SectorDevice(2 << 20, Block));
        using var attached = volume.Attach(cache);
        var buffer = new byte[200 * Block];
        for (var i = 0; i < 10; i++)
        {
            using var file = volume.CreateFile($"file {i}");
            await volume.WriteAsync(file, 0, WriteBack.Bytes(buffer.Length, i));
            await volume.CommitAsync();
            using (var mapped = attached.OpenFile(file, file.Length, new FileOpenOptions { Id = file.Id, Name = file.Name }))
            {
                await mapped.ReadAsync(0, buffer);
                Assert.Equal(WriteBack.Bytes(buffer.Length, i), buffer);
            }

            volume.Delete(file.Name!);
        }

        cache.Verify();
        volume.AssertClean();
    }

    [Fact]
    public async Task A_detached_cache_is_forgotten()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20, PageSize = Block });
        using var volume = CowVolume.Create(new SectorDevice(2 << 20, Block));
        var attached = volume.Attach(cache);
        Assert.Equal(volume.Id, attached.Id);
        attached.Dispose();
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(10 * Block, 1));
        await volume.CommitAsync();
        file.SetLength(0);
        await volume.ReclaimAsync();
        Assert.Equal(0, volume.GetStatistics().PendingBlocks);
        using var again = volume.Attach(cache);
        volume.AssertClean();
    }

    [Fact]
    public void A_cache_whose_pages_are_smaller_than_the_blocks_is_refused()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20, PageSize = 512 });
        using var volume = CowVolume.Create(new SectorDevice(2 << 20, Block));
        Assert.Throws<ArgumentException>(() => volume.Attach(cache));
    }
}
