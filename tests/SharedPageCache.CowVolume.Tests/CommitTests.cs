using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>Commits: together, one after the other, and again after they failed.</summary>
public sealed class CommitTests
{
    private const int Block = 4096;

    [Fact]
    public async Task A_commit_with_nothing_to_say_writes_nothing()
    {
        var device = new SectorDevice(8 << 20, Block);
        using var volume = CowVolume.Create(device);
        await volume.CommitAsync();
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(Block, 1));
        await volume.CommitAsync();
        var (operations, commits) = (device.Operations, volume.GetStatistics().Commits);
        await volume.CommitAsync();
        using var clone = file.Clone();
        clone.SetLength(5);
        await volume.CommitAsync();
        Assert.Equal((operations, commits), (device.Operations, volume.GetStatistics().Commits));
        Assert.Equal(1, commits);
        volume.AssertClean();
    }

    [Fact]
    public async Task A_small_change_of_a_large_volume_writes_a_few_blocks_and_flushes_twice()
    {
        var device = new SectorDevice(1L << 32, Block);
        using var volume = CowVolume.Create(device);
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(10_000 * Block, 1));
        await volume.CommitAsync();
        await volume.WriteAsync(file, 5000 * Block, WriteBack.Bytes(Block, 2));
        var (written, flushes) = (volume.GetStatistics().MetadataBlocksWritten, device.Flushes);
        await volume.CommitAsync();

        // A leaf and the root of the file, its record, one node of the tree of files.
        Assert.Equal(4, volume.GetStatistics().MetadataBlocksWritten - written);
        Assert.Equal(2, device.Flushes - flushes);
        volume.AssertClean();
    }

    [Fact]
    public async Task Callers_who_come_during_a_commit_share_the_next()
    {
        var device = new SectorDevice(8 << 20, Block);
        using var volume = CowVolume.Create(device);
        volume.CreateFile("first");
        var gate = new TaskCompletionSource();
        var reached = new TaskCompletionSource();
        device.Before = async _ =>
        {
            reached.TrySetResult();
            await gate.Task;
        };
        var first = volume.CommitAsync();
        await reached.Task;
        var others = Enumerable.Range(0, 20).Select(i =>
        {
            volume.CreateFile($"file {i}");
            return volume.CommitAsync();
        }).ToList();
        using var impatient = new CancellationTokenSource();
        var cancelled = volume.CommitAsync(impatient.Token);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.DoesNotContain(others, other => other.IsCompleted);
        gate.SetResult();
        await first;
        await Task.WhenAll(others);
        Assert.Equal(2, volume.GetStatistics().Commits);
        volume.Dispose();
        Assert.Equal(21, CowVolume.Open(device).Files.Count);
    }

    [Fact]
    public async Task What_is_done_during_a_commit_belongs_to_the_next()
    {
        var device = new SectorDevice(16 << 20, Block);
        using var volume = CowVolume.Create(device);
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(300 * Block, 1));
        var clone = file.Clone();
        var done = false;
        device.Before = run =>
        {
            if (!done && run.IsSome)
            {
                done = true;
                file.PunchHole(0, 100 * Block);
                file.SetLength(150 * Block);
                volume.Link(clone, "clone");
                clone.CloneRange(clone, 0, 200 * Block, 100 * Block);
                volume.Rename("file", "renamed");
                volume.CreateFile("new").CloneRange(clone, 0, 0, Block);
            }

            return ValueTask.CompletedTask;
        };
        await volume.CommitAsync();
        Assert.True(done);
        var after = device.AfterPowerCut(new Random(1));
        using (var recovered = CowVolume.Open(after))
        {
            Assert.Equal("file", Assert.Single(recovered.Files).Name);
            Assert.Equal(WriteBack.Bytes(300 * Block, 1), recovered.ReadAll(recovered.OpenFile("file")));
            recovered.AssertClean();
        }

        volume.AssertClean();
        var expected = volume.ReadAll(clone);
        await volume.CommitAsync();
        volume.AssertClean();
        volume.Dispose();
        using var again = CowVolume.Open(device);
        Assert.Equal(["clone", "new", "renamed"], again.Files.Select(entry => entry.Name));
        Assert.Equal(expected, again.ReadAll(again.OpenFile("clone")));
        again.AssertClean();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_commit_that_fails_at_any_step_stays_owed(bool changesBetween)
    {
        for (var step = 0; ; step++)
        {
            var device = new SectorDevice(8 << 20, Block);
            using var volume = CowVolume.Create(device);
            var file = volume.CreateFile("file");
            await volume.WriteAsync(file, 0, WriteBack.Bytes(200 * Block, 1));
            await volume.CommitAsync();
            await volume.WriteAsync(file, 0, WriteBack.Bytes(Block, 2));
            file.Clone("clone");
            var left = step;
            device.Before = _ => left-- == 0 ? throw new IOException("bad luck") : ValueTask.CompletedTask;
            var failed = false;
            try
            {
                await volume.CommitAsync();
            }
            catch (IOException)
            {
                failed = true;
            }

            device.Before = null;

            // The volume goes on as if nothing had been; the second try finds its work even if nothing was changed since.
            volume.AssertClean();
            if (changesBetween)
            {
                await volume.WriteAsync(volume.OpenFile("clone"), 100 * Block, WriteBack.Bytes(Block, 3));
            }

            await volume.CommitAsync();
            volume.AssertClean();
            byte[][] expected = [volume.ReadAll(file), volume.ReadAll(volume.OpenFile("clone"))];
            volume.Dispose();
            using var again = CowVolume.Open(device.AfterPowerCut(new Random(step)));
            Assert.Equal(expected, new[] { again.ReadAll(again.OpenFile("file")), again.ReadAll(again.OpenFile("clone")) });
            again.AssertClean();
            if (!failed)
            {
                Assert.True(step >= 4, "two writes and two flushes at least");
                return;
            }
        }
    }

    [Fact]
    public async Task What_is_given_up_before_its_commit_has_placed_it_is_not_lost_room()
    {
        // The volume is so full that the commit has to bring the older superblock up to date before it can place its
        // metadata. During that write the file goes whose nodes the commit is about to place.
        var device = new SectorDevice(1 << 20, Block);
        using var volume = CowVolume.Create(device);
        var gone = volume.CreateFile("gone");
        await volume.WriteAsync(gone, 0, WriteBack.Bytes(100 * Block, 1));
        await volume.WriteAsync(volume.CreateFile("kept"), 0, WriteBack.Bytes(80 * Block, 2));
        await volume.CommitAsync();
        volume.Delete("gone");
        gone.Dispose();
        await volume.CommitAsync();
        var brief = volume.CreateFile("brief");
        brief.CloneRange(volume.OpenFile("kept"), 0, 3 * Block, 77 * Block);
        var count = (int)volume.GetStatistics().FreeBlocks;
        for (var i = 0; i < count; i++)
        {
            volume.CreateFile($"file {i}");
        }

        var isFirst = true;
        device.Before = run =>
        {
            if (isFirst)
            {
                isFirst = false;
                Assert.True(run.Offset < 2 * 65536, "the superblock comes first");
                brief.SetLength(0);
            }

            return ValueTask.CompletedTask;
        };
        await volume.CommitAsync();
        Assert.False(isFirst);
        device.Before = null;
        volume.AssertClean();
        await volume.CommitAsync();
        volume.AssertClean();
        await volume.ReclaimAsync();
        Assert.Equal(0, volume.GetStatistics().PendingBlocks);
        volume.AssertClean();
    }

    [Fact]
    public async Task A_change_that_was_made_durable_by_a_failed_commit_is_never_lost_later()
    {
        // The superblock of the failed attempt reaches the disk although its flush fails. What it leads to must survive
        // everything that is done afterwards, until a newer superblock is durable.
        var device = new SectorDevice(2 << 20, Block);
        using var volume = CowVolume.Create(device);
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(100 * Block, 1));
        await volume.CommitAsync();
        await volume.WriteAsync(file, 0, WriteBack.Bytes(100 * Block, 2));
        var flushes = 0;
        device.Before = run => !run.IsSome && ++flushes == 2 ? throw new IOException("bad luck") : ValueTask.CompletedTask;
        await Assert.ThrowsAsync<IOException>(() => volume.CommitAsync());
        device.Before = null;
        await volume.BlockDevice.FlushAsync(default);
        file.SetLength(0);
        await volume.WriteAsync(file, 0, WriteBack.Bytes(100 * Block, 3));
        await volume.WriteAsync(file, 0, WriteBack.Bytes(50 * Block, 4));
        var after = device.AfterPowerCut(new Random(3));
        using var recovered = CowVolume.Open(after);
        Assert.Equal(WriteBack.Bytes(100 * Block, 2), recovered.ReadAll(recovered.OpenFile("file")));
        recovered.AssertClean();
    }
}
