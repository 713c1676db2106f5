using System.Buffers;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.TestKit.Tests.Logging;

/// <summary>An engine that writes in place behind a log: the order of log and pages, and who shows what.</summary>
public sealed class LoggedEngineTests
{
    private const int Payload = LoggedWorld.Payload;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    [Trait("Row", "E3")]
    public async Task No_page_reaches_the_device_before_its_record()
    {
        using var world = await LoggedWorld.CreateAsync();
        var file = await world.Engine.CreateFileAsync("file", 10);
        for (var version = 1; version < 20; version++)
        {
            var lsn = await file.UpdateAsync(version % 10, 0, Content(version));
            Assert.True(world.Engine.DurableLsn < lsn, "a change alone forces nothing");
            if (version % 3 == 0)
            {
                await file.FlushAsync();
                Assert.True(world.Engine.DurableLsn >= lsn);
            }
        }

        Assert.True(world.Rule.PagesChecked > 10);
        world.AssertSound();
    }

    [Fact]
    public async Task The_device_notices_an_engine_that_does_not_wait_for_its_log()
    {
        using var world = await LoggedWorld.CreateAsync(placement: static engine => new EngineWithoutWaiting(engine));
        var file = await world.Engine.CreateFileAsync("file", 1);
        await world.Engine.CommitAsync();
        await file.UpdateAsync(0, 0, Content(1));
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        Assert.Equal("write", error.Step);
        Assert.Equal(1, world.Rule.Violations);
    }

    [Fact]
    public async Task What_nobody_else_shows_is_written_in_place_and_what_a_clone_shows_is_not()
    {
        using var world = await LoggedWorld.CreateAsync();
        var file = await world.Engine.CreateFileAsync("file", 3);
        await UpdateAllAsync(file, 1);
        await file.FlushAsync();
        Assert.Equal((0, 3), (world.Engine.PlacedInPlace, world.Engine.PlacedAnew));

        await UpdateAllAsync(file, 2);
        await file.FlushAsync();
        Assert.Equal((3, 3), (world.Engine.PlacedInPlace, world.Engine.PlacedAnew));
        Assert.Equal(3, world.Engine.BlocksInUse);

        var clone = await file.CloneAsync("clone");
        await file.UpdateAsync(1, 0, Content(3));
        await file.FlushAsync();
        Assert.Equal((3, 4), (world.Engine.PlacedInPlace, world.Engine.PlacedAnew));
        await AssertAsync(file, 2, 3, 2);
        await AssertAsync(clone, 2, 2, 2);

        // Each has a block of its own now; the others are shared.
        await clone.UpdateAsync(1, 0, Content(4));
        await file.UpdateAsync(1, 0, Content(5));
        await world.Volume.FlushAsync();
        Assert.Equal((5, 4), (world.Engine.PlacedInPlace, world.Engine.PlacedAnew));

        // The clone alone shows the other two when the origin is gone.
        await file.DeleteAsync();
        await UpdateAllAsync(clone, 6);
        await clone.FlushAsync();
        Assert.Equal((8, 4), (world.Engine.PlacedInPlace, world.Engine.PlacedAnew));
        world.AssertSound();

        using var recovered = await world.CrashAsync(new Random(1));
        await AssertAsync(recovered.Engine.OpenFile("clone"), 6, 6, 6);
        Assert.Equal(["clone"], recovered.Engine.Names);
    }

    [Fact]
    public async Task A_clone_made_while_its_page_is_written_in_place_shows_that_page_before_and_after()
    {
        var held = default(HeldCallDevice);
        var (data, log) = (new SectorDevice(64 * LoggedWorld.Page, 512), new SectorDevice(64 << 10, 512));
        var engine = await LoggedEngine.CreateAsync(data, log, LoggedWorld.Page);
        using var cache = NewCache();
        using var volume = engine.Attach(cache, device: held = new HeldCallDevice(data));
        var file = await engine.CreateFileAsync("file", 1);
        await file.UpdateAsync(0, 0, Content(1));
        await file.FlushAsync();
        await file.UpdateAsync(0, 0, Content(2));

        var arrived = held.HoldAsync(DeviceCalls.Write);
        var flush = file.FlushAsync().AsTask();
        await arrived.WaitAsync(Patience);
        var clone = await file.CloneAsync("clone");
        await file.UpdateAsync(0, 0, Content(3));
        await AssertAsync(clone, 2);
        held.Release();
        await flush.WaitAsync(Patience);
        Assert.Equal(1, engine.PlacedInPlace);
        await AssertAsync(clone, 2);

        // Now two show the block.
        await file.FlushAsync();
        Assert.Equal((1, 2), (engine.PlacedInPlace, engine.PlacedAnew));
        await AssertAsync(clone, 2);
        await AssertAsync(file, 3);
        Assert.Empty(engine.Check());
        cache.Verify();
        using var recovered = await LoggedWorld.OpenAsync(data.Durable(), log.Durable());
        await AssertAsync(recovered.Engine.OpenFile("clone"), 2);
        await AssertAsync(recovered.Engine.OpenFile("file"), 3);
    }

    [Fact]
    [Trait("Row", "E3")]
    public async Task A_copy_inherits_the_record_of_its_source()
    {
        using var world = await LoggedWorld.CreateAsync();
        var file = await world.Engine.CreateFileAsync("file", 1);
        var lsn = await file.UpdateAsync(0, 0, Content(1));
        var clone = file.Mapped.Clone();
        var records = world.Engine.LogEnd;
        clone.Write(LoggedEngine.PageHeaderSize, Content(2));
        Assert.True(world.Engine.DurableLsn < lsn);
        await clone.FlushAsync();
        Assert.True(world.Engine.DurableLsn >= lsn, "the clone's page holds bytes of that record");
        Assert.Equal(1, world.Rule.PagesChecked);

        // Without a record of its own it is none of the log's business, but for its place.
        Assert.Equal(records.Value + 1, world.Engine.LogEnd.Value);
        world.AssertSound();
    }

    [Fact]
    [Trait("Row", "E3")]
    public async Task A_log_in_a_file_of_the_same_cache_is_flushed_inside_the_wait_for_it_and_its_pages_carry_no_record()
    {
        using var cache = NewCache();
        var logEngine = new PageEngine(256, LoggedWorld.Page);
        var logDevice = new MemoryDevice(256 * LoggedWorld.Page, 512);
        using var logVolume = cache.AttachVolume(logDevice, new VolumeOptions { Placement = logEngine });
        logEngine.Volume = logVolume;
        var logMap = logEngine.Create(64 << 10);
        using var logFile = logVolume.OpenFile(logMap, 64 << 10);

        var data = new SectorDevice(64 * LoggedWorld.Page, 512);
        var engine = await LoggedEngine.CreateAsync(data, new MappedFileDevice(logFile), LoggedWorld.Page);
        using var volume = engine.Attach(cache);
        var file = await engine.CreateFileAsync("file", 4);
        for (var version = 1; version < 30; version++)
        {
            await file.UpdateAsync(version % 4, 0, Content(version));
            await file.FlushAsync().AsTask().WaitAsync(Patience);
        }

        await volume.FlushAsync().AsTask().WaitAsync(Patience);
        Assert.Empty(logEngine.EnsuredDurable);
        Assert.True(logEngine.Persists > 30);
        Assert.True(engine.Checkpoints > 0);
        cache.Verify();

        // The log that its own engine has made durable is enough.
        var durable = new MemoryDevice(64 << 10, 512);
        PageEngine.Durable(logMap, logDevice.Bytes).CopyTo(durable.Bytes);
        Assert.Equal(engine.DurableLsn, await LoggedEngine.ReadLogEndAsync(durable));
        await engine.CommitAsync();
        var recovered = await LoggedEngine.OpenAsync(data.Durable(), durable);
        Assert.Equal(["file"], recovered.Names);
    }

    [Fact]
    [Trait("Row", "E3")]
    public async Task While_a_write_back_waits_for_the_log_others_write_and_flush()
    {
        var (data, log) = (new SectorDevice(64 * LoggedWorld.Page, 512), new HeldCallDevice(new SectorDevice(64 << 10, 512)));
        var engine = await LoggedEngine.CreateAsync(data, log, LoggedWorld.Page);
        using var cache = NewCache();
        using var volume = engine.Attach(cache);
        var other = new PageEngine(64, LoggedWorld.Page);
        using var otherVolume = cache.AttachVolume(new MemoryDevice(64 * LoggedWorld.Page, 512), new VolumeOptions { Placement = other });
        using var otherFile = otherVolume.OpenFile(other.Create(LoggedWorld.Page), LoggedWorld.Page);
        var file = await engine.CreateFileAsync("file", 2);
        await file.UpdateAsync(0, 0, Content(1));

        var arrived = log.HoldAsync(DeviceCalls.Flush);
        var flush = file.FlushAsync().AsTask();
        await arrived.WaitAsync(Patience);

        // The page that waits, another one, a clone, and another volume.
        await file.UpdateAsync(0, 0, Content(2)).WaitAsync(Patience);
        await file.UpdateAsync(1, 0, Content(3)).WaitAsync(Patience);
        await file.CloneAsync("clone").WaitAsync(Patience);
        otherFile.Write(0, Content(4));
        await otherFile.FlushAsync().AsTask().WaitAsync(Patience);
        Assert.False(flush.IsCompleted);
        log.Release();
        await flush.WaitAsync(Patience);
        await AssertAsync(file, 2, 3);
        await volume.FlushAsync();
        Assert.Empty(engine.Check());
        cache.Verify();
    }

    [Fact]
    public async Task Who_commits_at_the_same_time_shares_a_force()
    {
        var log = new HeldCallDevice(new SectorDevice(64 << 10, 512));
        var engine = await LoggedEngine.CreateAsync(new SectorDevice(64 * LoggedWorld.Page, 512), log, LoggedWorld.Page);
        using var cache = NewCache();
        using var volume = engine.Attach(cache);
        var file = await engine.CreateFileAsync("file", 10);
        await engine.CommitAsync();
        var forces = engine.LogForces;
        var commits = new List<Task>();
        await file.UpdateAsync(0, 0, Content(1));
        var arrived = log.HoldAsync(DeviceCalls.Flush);
        commits.Add(engine.CommitAsync());
        await arrived.WaitAsync(Patience);
        for (var page = 1; page < 10; page++)
        {
            await file.UpdateAsync(page, 0, Content(page));
            commits.Add(engine.CommitAsync());
        }

        log.Release();
        await Task.WhenAll(commits).WaitAsync(Patience);
        Assert.Equal(forces + 2, engine.LogForces);
        Assert.Equal(engine.LogEnd, engine.DurableLsn);
    }

    [Fact]
    public async Task A_force_that_fails_is_told_and_the_next_one_writes_everything()
    {
        var (data, disk) = (new SectorDevice(64 * LoggedWorld.Page, 512), new SectorDevice(64 << 10, 512));
        var log = new FailNthCallDevice(disk);
        var engine = await LoggedEngine.CreateAsync(data, log, LoggedWorld.Page);
        using var cache = NewCache();
        using var volume = engine.Attach(cache);
        var file = await engine.CreateFileAsync("file", 1);
        foreach (var version in (int[])[1, 2])
        {
            var lsn = await file.UpdateAsync(0, 0, Content(version));
            log.FailAt = log.Calls + version;
            await Assert.ThrowsAsync<IOException>(() => engine.CommitAsync());
            Assert.True(engine.DurableLsn < lsn);
            var error = await Assert.ThrowsAsync<CacheWritebackException>(async () =>
            {
                log.FailAt = log.Calls + 1;
                await file.FlushAsync();
            });
            Assert.Equal("EnsureDurable", error.Step);
        }

        log.Heal();
        await engine.CommitAsync();
        using var recovered = await LoggedWorld.OpenAsync(data.Durable(), disk.Durable());
        await AssertAsync(recovered.Engine.OpenFile("file"), 2);
    }

    [Fact]
    public async Task A_checkpoint_whose_header_fails_makes_the_log_refuse_everything_until_the_engine_is_opened_again()
    {
        var (data, disk) = (new SectorDevice(64 * LoggedWorld.Page, 512), new SectorDevice(64 << 10, 512));
        var log = new FailNthCallDevice(disk);
        var engine = await LoggedEngine.CreateAsync(data, log, LoggedWorld.Page);
        using var cache = NewCache();
        using var volume = engine.Attach(cache);
        var file = await engine.CreateFileAsync("file", 1);
        await file.UpdateAsync(0, 0, Content(1));
        await file.FlushAsync();
        await engine.CommitAsync();

        // The state, a flush, and then the header, of which nobody knows whether it will survive.
        log.FailAt = log.Calls + 4;
        await Assert.ThrowsAsync<IOException>(engine.CheckpointAsync);
        Assert.Equal(1, log.Failures);
        await Assert.ThrowsAsync<IOException>(() => file.UpdateAsync(0, 0, Content(2)));
        await Assert.ThrowsAsync<IOException>(engine.CheckpointAsync);
        foreach (var state in disk.AllPowerCuts())
        {
            using var recovered = await LoggedWorld.OpenAsync(data.Durable(), state);
            await AssertAsync(recovered.Engine.OpenFile("file"), 1);
        }
    }

    [Fact]
    public async Task Blocks_that_are_given_up_are_used_again_and_never_show_what_they_held()
    {
        using var world = await LoggedWorld.CreateAsync(blocks: 6);
        var file = await world.Engine.CreateFileAsync("file", 4);
        await UpdateAllAsync(file, 1);
        await file.FlushAsync();
        for (var version = 2; version < 12; version++)
        {
            await file.PunchAsync(0, 4);
            await AssertAsync(file, 0, 0, 0, 0);
            await UpdateAllAsync(file, version);
            await file.FlushAsync();
            await AssertAsync(file, version, version, version, version);
        }

        Assert.Equal(4, world.Engine.BlocksInUse);
        var clone = await file.CloneAsync("clone");
        await UpdateAllAsync(file, 20);
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        Assert.Equal("Place", error.Step);
        world.AssertSound();
        await clone.DeleteAsync();
        await file.FlushAsync();
        await AssertAsync(file, 20, 20, 20, 20);
        world.AssertSound();
    }

    [Fact]
    public async Task What_an_engine_of_whole_pages_cannot_do_it_refuses()
    {
        using var world = await LoggedWorld.CreateAsync();
        var file = await world.Engine.CreateFileAsync("file", 1);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.UpdateAsync(1, 0, Content(1)));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.UpdateAsync(-1, 0, Content(1)));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.UpdateAsync(0, 1, Content(1)));
        await Assert.ThrowsAsync<IOException>(() => world.Engine.CreateFileAsync("file", 1));
        await Assert.ThrowsAsync<IOException>(() => file.CloneAsync("file"));
        Assert.Throws<FileNotFoundException>(() => world.Engine.OpenFile("nobody"));
        Assert.Throws<InvalidOperationException>(() => world.Engine.Attach(world.Cache));
        Assert.Throws<NotSupportedException>(() => file.Mapped.SetLength(100));
        var other = await LoggedEngine.CreateAsync(new SectorDevice(1 << 16, 512), new SectorDevice(1 << 16, 512), 2 * LoggedWorld.Page);
        Assert.Throws<ArgumentException>(() => other.Attach(world.Cache));
        await Assert.ThrowsAsync<InvalidDataException>(
            () => LoggedEngine.OpenAsync(new SectorDevice(1 << 16, 512), new SectorDevice(1 << 16, 512)));
        Assert.Equal(1, file.Pages);
        world.AssertSound();
    }

    private static PageCache NewCache() => new(new PageCacheOptions
    {
        CapacityBytes = 1 << 20, PageSize = LoggedWorld.Page, MaxReadAheadPages = 0, HugePages = false, DirtyAge = TimeSpan.FromHours(1),
    });

    private static byte[] Content(int version) =>
        version == 0 ? new byte[Payload] : new PageTag(1, 1, 0, version).ToBytes(Payload);

    private static async Task UpdateAllAsync(LoggedFile file, int version)
    {
        for (var page = 0; page < file.Pages; page++)
        {
            await file.UpdateAsync(page, 0, Content(version));
        }
    }

    private static async Task AssertAsync(LoggedFile file, params int[] versions)
    {
        Assert.Equal(versions.Length, file.Pages);
        for (var page = 0; page < versions.Length; page++)
        {
            Assert.Equal(Content(versions[page]), await file.ReadAsync(page));
        }
    }

    /// <summary>An engine that breaks the write-ahead rule.</summary>
    private sealed class EngineWithoutWaiting(IPlacementEngine engine) : IPlacementEngine
    {
        public ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask PlaceAsync(
            ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken) =>
            engine.PlaceAsync(dirty, placed, cancellationToken);

        public void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners) => engine.Publish(run, owners);

        public ValueTask PersistAsync(CancellationToken cancellationToken) => engine.PersistAsync(cancellationToken);

        public void Abandon(BlockRun run) => engine.Abandon(run);
    }
}
