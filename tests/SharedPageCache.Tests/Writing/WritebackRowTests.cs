using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>The rows of write-back: where pages go, in how many writes, what a flush covers, and what is cached afterwards.</summary>
public class WritebackRowTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "E1")]
    public async Task Every_dirty_page_goes_where_the_engine_says_and_nowhere_else()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(4 * Page);
        var before = cache.Device.Bytes.ToArray();
        file.Write(0, Bytes(1, 4 * Page));
        long[] blocks = [17, 3, 18, 5];
        cache.Engine.Answer = placed =>
        {
            Assert.Equal(4, placed.Count);
            return [.. blocks.Select(static block => new PlacedRun(new BlockRun(block * Page, Page)))];
        };
        await file.FlushAsync();
        for (var page = 0; page < blocks.Length; page++)
        {
            Bytes(1, 4 * Page).AsSpan(page * Page, Page).CopyTo(before.AsSpan((int)blocks[page] * Page));
        }

        Assert.Equal(before, cache.Device.Bytes.ToArray());
        Assert.Equal(blocks, cache.Engine.Published.SelectMany(static publication => PagesOf(publication.Run)));
        Assert.Equal(Bytes(1, 4 * Page), cache.DurableOf(file));
    }

    [Fact]
    [Trait("Row", "E6")]
    [Trait("Contract", "C6")]
    public async Task A_flush_covers_a_range_a_file_a_volume_or_the_cache_and_the_device_is_flushed_before_it_is_bound()
    {
        using var cache = new WriteCache(frames: 1024);
        var (one, two) = (cache.OpenNew(8 * Page), cache.OpenNew(8 * Page));
        one.Write(0, Bytes(1, 8 * Page));
        two.Write(0, Bytes(2, 8 * Page));
        var flushes = 0;
        cache.Device.BeforeWrite = _ =>
        {
            flushes = cache.Device.Flushes;
            return Task.CompletedTask;
        };
        cache.Engine.AfterBinding = () => Assert.True(cache.Device.Flushes > flushes, "bound before the device was flushed");

        await one.FlushAsync(2 * Page + 5, Page);
        Assert.Equal((2, 14), (cache.Figures.PagesWritten, cache.Figures.DirtyBytes / Page));
        Assert.Equal(Bytes(1, 8 * Page)[(2 * Page)..(4 * Page)], cache.DurableOf(one)[(2 * Page)..(4 * Page)]);
        await one.FlushAsync();
        Assert.Equal((8, 8), (cache.Figures.PagesWritten, cache.Figures.DirtyBytes / Page));
        await cache.Volume.FlushAsync();
        Assert.Equal((16, 0), (cache.Figures.PagesWritten, cache.Figures.DirtyBytes));
        one.Write(0, Bytes(3, 10));
        await cache.Cache.FlushAsync();
        Assert.Equal((17, 0), (cache.Figures.PagesWritten, cache.Figures.DirtyBytes));
        Assert.Equal(Bytes(2, 8 * Page), cache.DurableOf(two));
        Assert.Equal(Bytes(3, 10), cache.DurableOf(one)[..10]);
    }

    [Fact]
    [Trait("Row", "E7")]
    public async Task Neighbours_are_written_together_and_few_writes_are_under_way_at_once()
    {
        using var cache = new WriteCache(frames: 2048, deviceLength: 16 << 20);
        var file = cache.OpenNew(400 * Page);
        for (var page = 99; page >= 0; page--)
        {
            file.Write(page * Page, Bytes(page, Page));
        }

        await file.FlushAsync();
        Assert.Equal(100, cache.Device.BlocksWritten);
        Assert.Equal(1, cache.Device.Writes);

        // Blocks that are no neighbours, and a device that lets all writes wait that come at once.
        var underWay = 0;
        var most = 0;
        cache.Device.BeforeWrite = async _ =>
        {
            most = Math.Max(most, Interlocked.Increment(ref underWay));
            await Task.Delay(1);
            Interlocked.Decrement(ref underWay);
        };
        cache.Engine.Answer = placed => [.. placed.Select((_, i) => new PlacedRun(new BlockRun((1000 + 2 * i) * Page, Page)))];
        file.Write(200 * Page, Bytes(1, 150 * Page));
        await file.FlushAsync();
        Assert.Equal((250, 151), (cache.Device.BlocksWritten, cache.Device.Writes));
        Assert.InRange(most, 2, 8);
    }

    [Fact]
    [Trait("Row", "L36")]
    [Trait("Contract", "C1")]
    public async Task What_was_written_back_is_the_shared_page_and_is_not_read_again()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(4 * Page);
        file.Write(0, Bytes(1, 4 * Page));
        var clone = cache.Own(file.Clone());
        await file.FlushAsync();
        Assert.Equal(4 * Page, cache.Figures.ResidentBytes);
        var stranger = cache.Own(cache.Volume.OpenFile(((PageEngine.PageFile)file.Extents).Clone(), 4 * Page));
        Assert.All(new[] { file, clone, stranger }, shown => Assert.Equal(Bytes(1, 4 * Page), Read(shown, 0, 4 * Page)));
        Assert.Equal((0, 4 * Page), (cache.Device.Reads, cache.Figures.ResidentBytes));
    }

    [Fact]
    public async Task A_volume_that_cannot_write_does_not_stop_the_writers_of_another()
    {
        using var cache = new WriteCache(frames: 64);
        var broken = cache.OpenNew(64 * Page);
        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        Assert.Throws<CacheWritebackException>(() => broken.Write(0, Bytes(1, 64 * Page)));

        var device = new MemoryDevice(1 << 20);
        var engine = new PageEngine((1 << 20) / Page, Page);
        var sound = cache.Own(cache.Cache.AttachVolume(device, new VolumeOptions { Placement = engine }));
        engine.Volume = sound;
        using (var file = sound.OpenFile(engine.Create(64 * Page), 64 * Page))
        {
            for (var round = 0; round < 3; round++)
            {
                await file.WriteAsync(0, Bytes(round, 64 * Page)).AsTask().Within();
            }

            await file.FlushAsync().AsTask().Within();
            Assert.Equal(Bytes(2, 64 * Page), PageEngine.Durable((PageEngine.PageFile)file.Extents, device.Bytes));
        }

        cache.Device.BeforeWrite = null;
        await cache.Volume.FlushAsync();
    }

    /// <summary>A volume's share of what may be dirty may be less than what is copied in one step.</summary>
    [Fact]
    public async Task A_volume_that_cannot_write_does_not_stop_a_range_that_is_copied_in_another()
    {
        using var cache = new WriteCache(frames: 64);
        var broken = cache.OpenNew(64 * Page);
        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        Assert.Throws<CacheWritebackException>(() => broken.Write(0, Bytes(1, 64 * Page)));
        cache.Own(cache.AttachSecond(out var file));
        using (file)
        {
            await file.WriteAsync(0, Bytes(2, 20 * Page)).AsTask().Within();
            await Task.Run(() => file.CloneRange(file, 100, 12 * Page, 6 * Page)).Within();
            Assert.Equal(Read(file, 100, 6 * Page), Read(file, 12 * Page, 6 * Page));
            await file.FlushAsync().AsTask().Within();
        }

        cache.Device.BeforeWrite = null;
        await cache.Volume.FlushAsync();
    }

    /// <summary>Writes of several pages wait for frames one at a time, in all volumes: not so for room that one device has to make.</summary>
    [Fact]
    public async Task A_volume_whose_device_hangs_does_not_stop_writes_of_several_pages_to_another()
    {
        using var cache = new WriteCache(frames: 64);
        var hanging = cache.OpenNew(64 * Page);
        var gate = new TaskCompletionSource();
        cache.Device.BeforeWrite = _ => gate.Task;
        var writers = Enumerable.Range(0, 7).Select(i => Task.Run(() => hanging.Write(i * 8 * Page, Bytes(1, 8 * Page)))).ToList();
        Bounded.Until(() => cache.Figures.DirtyBytes >= cache.Figures.FrameCount * 2 / 5 * Page - (2 * Page), "all is dirty that may be");
        await Task.WhenAny(Task.WhenAll(writers), Task.Delay(200));
        cache.Own(cache.AttachSecond(out var file));
        using (file)
        {
            for (var round = 0; round < 10; round++)
            {
                await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() => file.Write(i * 8 * Page, Bytes(2, 8 * Page))))).Within();
            }

            Assert.Contains(writers, static writer => !writer.IsCompleted);
            gate.SetResult();
            await Task.WhenAll(writers).Within();
        }

        cache.Device.BeforeWrite = null;
        await cache.Volume.FlushAsync();
    }

    [Theory]
    [InlineData(5)]
    [InlineData(16)]
    [InlineData(64)]
    public async Task Who_leases_all_that_may_be_leased_can_still_write_when_trees_have_all_that_they_may(int frames)
    {
        using var cache = new WriteCache(configure: options =>
        {
            options.ExactFrameCount = null;
            options.CapacityBytes = (18 << 10) + (frames * (Page + 57L));
        });
        var rooms = cache.Cache.Engine.Rooms;
        Assert.Equal(frames, rooms.Plan.FrameCount);
        var (large, file) = (cache.OpenNew(600L * 512 * Page), cache.OpenMapped(100));
        for (var window = 0L; rooms.Pool.WithheldCount < rooms.Plan.MostWithheld; window++)
        {
            large.Write(window * 512 * Page, new byte[8]);
        }

        await large.FlushAsync();
        var leases = new List<PageMemoryLease>();
        for (var i = 0; i < rooms.Plan.LeaseLimit; i++)
        {
            leases.Add(await file.PinAsync(i * Page).Within());
        }

        await Task.Run(() => file.Write((50 * Page) + 100, Bytes(1, (int)file.MaxAtomicWrite))).Within();
        await Task.Run(() => file.CloneRange(file, (60 * Page) + 100, (80 * Page) + 100, 3 * Page)).Within();
        leases.ForEach(static lease => lease.Dispose());
    }

    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    public async Task A_write_that_is_larger_than_the_cache_is_a_series_of_smaller_ones(int frames)
    {
        using var cache = new WriteCache(frames);
        var file = cache.OpenNew(0);
        await file.WriteAsync(100, Bytes(1, 100 * Page)).AsTask().Within();
        Assert.Equal(Bytes(1, 100 * Page), Read(file, 100, 100 * Page));
        await file.FlushAsync();
        Assert.Equal(Bytes(1, 100 * Page), cache.DurableOf(file)[100..]);
    }

    [Fact]
    public async Task Who_leases_all_that_may_be_leased_can_still_write()
    {
        using var cache = new WriteCache(frames: 64);
        var file = cache.OpenMapped(64);
        var leases = new List<PageMemoryLease>();
        for (var page = 0; leases.Count < cache.Figures.LeaseLimit; page++)
        {
            leases.Add(await file.PinAsync(page * Page));
        }

        Assert.False(file.TryPin(63 * Page, out _));
        await file.WriteAsync(0, Bytes(1, 64 * Page)).AsTask().Within();
        leases.ForEach(static lease => lease.Dispose());
        Assert.Equal(Bytes(1, 64 * Page), Read(file, 0, 64 * Page));
    }

    [Fact]
    public async Task A_clone_that_is_made_written_and_closed_again_and_again_leaves_nothing_behind()
    {
        using var cache = new WriteCache(frames: 128);
        var file = cache.OpenMapped(8);
        Read(file, 0, 8 * Page);
        for (var round = 1; round <= 5000; round++)
        {
            using var clone = file.Clone();
            clone.Write(round % 8 * Page, Bytes(round, 10));
            clone.Delete();
            if (round % 500 == 0)
            {
                Assert.InRange(await MetadataAsync(), 0, 32 << 10);
            }
        }

        Assert.Equal(8 * Page, cache.Figures.ResidentBytes);

        async Task<long> MetadataAsync()
        {
            // What a clone leaves is garbage of the collector: its books are closed when that has run.
            await file.FlushAsync();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            return cache.Figures.MetadataBytes;
        }
    }

    private static IEnumerable<long> PagesOf(BlockRun run)
    {
        for (var done = 0L; done < run.Length; done += Page)
        {
            yield return (run.Offset + done) / Page;
        }
    }
}
