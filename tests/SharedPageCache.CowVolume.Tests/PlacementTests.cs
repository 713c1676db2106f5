using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>The write-back port: place, publish, abandon, persist.</summary>
public sealed class PlacementTests
{
    private const int Block = 4096;

    [Fact]
    public async Task A_run_is_shown_at_every_owner_and_freed_with_the_last()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var one = volume.CreateFile("one");
        var two = one.Clone("two");
        one.SetLength(10 * Block);
        two.SetLength(10 * Block);
        var bytes = WriteBack.Bytes(2 * Block, 1);
        var sequences = (one.Sequence, two.Sequence);
        await volume.WriteSharedAsync(bytes, new RunOwner(one, 0), new RunOwner(two, 4 * Block), new RunOwner(two, 8 * Block));
        Assert.Equal((sequences.Item1 + 1, sequences.Item2 + 1), (one.Sequence, two.Sequence));
        Assert.Equal(2, volume.GetStatistics().ContentBlocks);
        Assert.Equal(bytes, volume.ReadAll(one)[..(2 * Block)]);
        Assert.Equal(bytes, volume.ReadAll(two)[(4 * Block)..(6 * Block)]);
        Assert.Equal(bytes, volume.ReadAll(two)[(8 * Block)..]);
        volume.AssertClean();
        one.PunchHole(0, 2 * Block);
        two.SetLength(6 * Block);
        Assert.Equal(2, volume.GetStatistics().ContentBlocks);
        two.PunchHole(4 * Block, Block);
        Assert.Equal(1, volume.GetStatistics().ContentBlocks);
        two.SetLength(0);
        Assert.Equal(0, volume.GetStatistics().ContentBlocks);
        volume.AssertClean();
    }

    [Fact]
    public async Task Publish_is_all_or_nothing_and_says_what_is_wrong()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        using var other = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        file.SetLength(8 * Block);
        var released = file.Clone();
        released.Dispose();
        var stranger = other.CreateFile("stranger");
        stranger.SetLength(8 * Block);
        var run = (await volume.PlaceAsync(2 * Block)).Single();
        var sequence = file.Sequence;
        var good = new RunOwner(file, 0);
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(run, []));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(run, [good, new RunOwner(stranger, 0)]));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(run, [good, new RunOwner(new ExtentList(), 0)]));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(run, [good, new RunOwner(file, 4 * Block - 1)]));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(run, [good, new RunOwner(file, -Block)]));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(run, [good, new RunOwner(file, 8 * Block)]));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(run, [good, good]));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(run, [good, new RunOwner(file, Block)]));
        Assert.Throws<ObjectDisposedException>(() => volume.Placement.Publish(run, [good, new RunOwner(released, 0)]));
        Assert.Throws<InvalidOperationException>(() => volume.Placement.Publish(new BlockRun(run.Offset, 3 * Block), [good]));
        Assert.Throws<InvalidOperationException>(() => volume.Placement.Publish(new BlockRun(run.Offset - Block, Block), [good]));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(new BlockRun(run.Offset + 1, Block), [good]));
        Assert.Throws<ArgumentException>(() => volume.Placement.Publish(BlockRun.None, [good]));
        Assert.Empty(file.Extents());
        Assert.Equal(sequence, file.Sequence);
        Assert.Equal(2, volume.GetStatistics().PlacedBlocks);
        volume.Placement.Publish(run, [good]);
        Assert.NotEqual(sequence, file.Sequence);
        Assert.Throws<InvalidOperationException>(() => volume.Placement.Publish(run, [good]));
        Assert.Throws<InvalidOperationException>(() => volume.Placement.Abandon(run));
        volume.AssertClean();
    }

    [Fact]
    public async Task Parts_of_a_run_go_different_ways()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var one = volume.CreateFile("one");
        one.SetLength(10 * Block);
        var two = one.Clone("two");
        var run = (await volume.PlaceAsync(4 * Block)).Single();
        var free = volume.GetStatistics().FreeBlocks;
        volume.Placement.Publish(new BlockRun(run.Offset + Block, Block), [new RunOwner(one, 5 * Block)]);
        volume.Placement.Abandon(new BlockRun(run.Offset, Block));
        volume.Placement.Publish(new BlockRun(run.Offset + (3 * Block), Block), [new RunOwner(two, 0), new RunOwner(one, 0)]);
        Assert.Equal(1, volume.GetStatistics().PlacedBlocks);
        volume.AssertClean();
        volume.Placement.Abandon(new BlockRun(run.Offset + (2 * Block), Block));
        Assert.Equal(free + 2, volume.GetStatistics().FreeBlocks);
        Assert.Equal(
            [new Extent(0, Block, run.Offset + (3 * Block), ExtentFlags.Shared), new Extent(5 * Block, Block, run.Offset + Block)],
            one.Extents());
        volume.AssertClean();
    }

    [Fact]
    public async Task A_run_lies_behind_the_one_that_it_replaces_if_there_is_room()
    {
        using var volume = CowVolume.Create(new SectorDevice(64 << 20, Block));
        var first = (await volume.PlaceAsync(8 * Block)).Single();
        var far = new BlockRun(first.Offset + (1000 * Block), 4 * Block);
        var near = (await volume.PlaceAsync(8 * Block, far)).Single();
        Assert.Equal(far.End, near.Offset);
        Assert.Equal(near.End, (await volume.PlaceAsync(8 * Block, far)).Single().Offset);
    }

    [Fact]
    public async Task A_volume_without_room_says_so_with_numbers_and_places_nothing()
    {
        using var volume = CowVolume.Create(new SectorDevice(1 << 20, Block));
        var free = volume.GetStatistics().FreeBlocks;
        var full = await Assert.ThrowsAsync<VolumeFullException>(() => volume.PlaceAsync(free * Block));
        Assert.Equal(free, full.NeededBlocks);
        Assert.Equal(free, full.FreeBlocks);
        Assert.Equal(0, volume.GetStatistics().PlacedBlocks);
        var file = volume.CreateFile("file");
        for (var i = 0; ; i++)
        {
            try
            {
                await volume.WriteAsync(file, i * Block, WriteBack.Bytes(Block, i));
            }
            catch (VolumeFullException)
            {
                break;
            }

            await volume.CommitAsync();
        }

        Assert.InRange(volume.GetStatistics().ContentBlocks, free / 2, free);
        volume.AssertClean();

        // A full volume can still delete, commit that, and be written again.
        file.SetLength(0);
        await volume.CommitAsync();
        await volume.WriteAsync(file, 0, WriteBack.Bytes((int)(free / 2) * Block, 1));
        await volume.CommitAsync();
        volume.AssertClean();
    }

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public async Task However_scattered_the_writes_a_full_volume_can_commit_them(int blockSize)
    {
        // Every block is the first of its leaf: there is as much metadata as content.
        var device = new SectorDevice(512L * blockSize + (1 << 17), blockSize);
        var written = 0;
        using (var volume = CowVolume.Create(device))
        {
            var file = volume.CreateFile("file");
            try
            {
                for (; ; written++)
                {
                    await volume.WriteAsync(file, written * 256L * blockSize, WriteBack.Bytes(blockSize, written));
                    if (written == 50)
                    {
                        file.Clone("clone");
                    }
                }
            }
            catch (VolumeFullException)
            {
            }

            Assert.InRange(written, 150, 256);
            await volume.CommitAsync();
            volume.AssertClean();
        }

        using var again = CowVolume.Open(device);
        Assert.Equal(written, again.OpenFile("file").Extents().Count);
        Assert.Equal(51, again.OpenFile("clone").Extents().Count);
    }

    [Fact]
    public async Task A_broken_up_volume_is_filled_in_pieces()
    {
        using var volume = CowVolume.Create(new SectorDevice(4 << 20, Block));
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(900 * Block, 1));
        for (var i = 0; i < 900; i += 2)
        {
            file.PunchHole(i * Block, Block);
        }

        await volume.ReclaimAsync();
        var runs = await volume.PlaceAsync(400 * Block);
        Assert.True(runs.Count > 200, "nothing longer was left");
        Assert.Equal(400 * Block, runs.Sum(run => run.Length));
        Assert.Equal(400, runs.SelectMany(run => Enumerable.Range(0, (int)run.Length / Block).Select(i => run.Offset + (i * Block))).Distinct().Count());
        volume.AssertClean();
        runs.ForEach(volume.Placement.Abandon);
        volume.AssertClean();
    }

    [Fact]
    public async Task Runs_for_larger_pages_are_whole_aligned_pages()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 16 << 20, PageSize = 4 * Block });
        using var volume = CowVolume.Create(new SectorDevice(4 << 20, Block));
        await volume.PlaceAsync(Block);
        using var attached = volume.Attach(cache);
        var runs = await volume.PlaceAsync(64 * Block);
        Assert.All(runs, run => Assert.Equal(0, (run.Offset | run.Length) % (4 * Block)));

        // A cache with smaller pages may be attached as well.
        Assert.Equal(3 * Block, (await volume.PlaceAsync(3 * Block)).Sum(run => run.Length));
        volume.AssertClean();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-4096)]
    [InlineData(100)]
    public async Task A_dirty_run_that_is_none_is_refused(long length)
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        await Assert.ThrowsAsync<ArgumentException>(() => volume.PlaceAsync(length));
        volume.AssertClean();
    }

    [Fact]
    public async Task The_write_ahead_rule_is_the_users_log_or_an_error()
    {
        using var without = CowVolume.Create(new SectorDevice(8 << 20, Block));
        await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await without.Placement.EnsureDurableAsync(new Lsn(5), default));
        var asked = new List<Lsn>();
        using var with = CowVolume.Create(new SectorDevice(8 << 20, Block), new CowVolumeOptions
        {
            EnsureDurable = (lsn, _) =>
            {
                asked.Add(lsn);
                return ValueTask.CompletedTask;
            },
        });
        await with.Placement.EnsureDurableAsync(new Lsn(5), default);
        Assert.Equal([new Lsn(5)], asked);
    }
}
