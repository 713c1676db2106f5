using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Capacity;

/// <summary>A full cache fails no read, nothing spins or deadlocks, and the memory limit is kept with the metadata in it.</summary>
public class FullCacheTests
{
    [Theory]
    [Trait("Contract", "C9")]
    [Trait("Row", "D4")]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(64)]
    public async Task With_every_frame_pinned_reads_go_around_the_cache(int frames)
    {
        using var cache = new TestCache(frames: frames);
        var rooms = cache.Cache.Engine.Rooms;
        var file = cache.OpenRun(0, 1 << 20);
        var clone = cache.Clone(file);
        file.ReadAll();
        for (var frame = 0; frame < frames; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        var around = cache.Figures.ReadsAround;
        Files.AssertSame(cache.Device.Copy(0, 1 << 20), file.ReadAll());
        var buffer = Canary.Buffer(20_000);
        Assert.Equal(20_000, await clone.ReadAsync(1_000_001, buffer));
        Files.AssertSame(cache.Device.Copy(1_000_001, 20_000), buffer);
        Assert.True(cache.Figures.ReadsAround > around);
        for (var frame = 0; frame < frames; frame++)
        {
            rooms.Frames.Unpin(frame);
        }

        Files.AssertSame(cache.Device.Copy(0, 1 << 20), file.ReadAll());
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Any_number_of_readers_share_the_reserve()
    {
        using var cache = new TestCache(frames: 8);
        var rooms = cache.Cache.Engine.Rooms;
        var file = cache.OpenRun(0, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        var gate = ReadGate.Before(cache.Device);
        var reads = Enumerable.Range(100, 40).Select(page => file.ReadAsync(page * 4096, new byte[4096]).AsTask()).ToArray();
        var blocking = Task.Run(() => file.Read(200 * 4096, new byte[4096]));
        Assert.All(reads, read => Assert.False(read.IsCompleted));

        // Hits need no frame.
        Assert.Contains(Enumerable.Range(0, 7), page => file.IsResident(page * 4096));
        gate.Open();
        Assert.All(await Task.WhenAll(reads).Within(), count => Assert.Equal(4096, count));
        Assert.Equal(4096, await blocking.Within());
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task An_engine_may_read_its_own_metadata_through_the_full_cache_while_it_answers()
    {
        // Hazard B1: the read inside the callback needs a frame while everybody else waits for one.
        using var cache = new TestCache(frames: 3);
        var metadata = cache.OpenRun(1 << 20, 65536);
        using var held = await metadata.PinAsync(0);
        var depth = 0;
        var extents = new ListExtents(new Extent(0, 65536, 0))
        {
            BeforeAnswer = async () =>
            {
                depth++;
                Assert.Equal(8, await metadata.ReadAsync(30_000, new byte[8]));
                Assert.Equal(8, metadata.Read(50_000, new byte[8]));
            },
        };
        var file = cache.Open(extents, 65536);
        Assert.Equal(65536, await file.ReadAsync(0, new byte[65536]).Within());
        Assert.Equal(1, depth);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public void The_smallest_cache_reads_everything()
    {
        using var cache = new TestCache(frames: 3, readAhead: 32);
        var file = cache.OpenRun(0, 1 << 20);
        var clone = cache.Clone(file);
        for (var round = 0; round < 2; round++)
        {
            Files.AssertSame(cache.Device.Copy(0, 1 << 20), file.ReadAll());
            Files.AssertSame(cache.Device.Copy(0, 1 << 20), clone.ReadAll());
        }

        Assert.InRange(cache.ResidentPages, 1, 3);
    }

    [Theory]
    [Trait("Contract", "C9")]
    [InlineData(512)]
    [InlineData(4096)]
    public void Pages_and_metadata_together_stay_under_the_capacity(int pageSize)
    {
        using var cache = new TestCache(capacity: 4 << 20, pageSize: pageSize, blockSize: 512, deviceLength: 512);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice(512));

        // Windows a quarter read, far more of them than the cache holds: leaves come and go.
        var windowBytes = pageSize * 512L;
        using var file = volume.OpenFile(new EmptyHookExtents(200 * windowBytes), 200 * windowBytes);
        var buffer = new byte[windowBytes / 4];
        for (var window = 0L; window < 200; window++)
        {
            Assert.Equal(buffer.Length, file.Read(window * windowBytes, buffer));
            if (window % 10 == 0)
            {
                Collect();
                file.ReadWord(window * windowBytes);
                AssertWithinCapacity(cache);
            }
        }

        Assert.True(cache.Figures.Evictions > 10_000);
    }

    [Theory]
    [Trait("Contract", "C9")]
    [InlineData(512)]
    [InlineData(4096)]
    public void One_page_in_each_window_stays_under_the_capacity(int pageSize)
    {
        using var cache = new TestCache(capacity: 4 << 20, pageSize: pageSize, blockSize: 512, deviceLength: 512);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice(512));

        // Every page needs another leaf: metadata grows faster than pages.
        const long Length = 1L << 40;
        using var file = volume.OpenFile(new EmptyHookExtents(Length), Length);
        for (var i = 0L; i < 3000; i++)
        {
            var offset = i * pageSize * 512 * 3 % Length;
            Assert.Equal(MemoryDevice.Word(offset), file.ReadWord(offset));
            AssertWithinCapacity(cache);
        }

        // What was given up for leaves comes back when the file lets go of them.
        file.InvalidateExtents(0, Length);
        Collect();
        file.ReadWord(0);
        Assert.InRange(cache.Cache.Engine.Rooms.Pool.WithheldCount, 0, cache.Figures.FrameCount / 10);
    }

    [Theory]
    [Trait("Contract", "C9")]
    [InlineData(512, 1)]
    [InlineData(4096, 1)]
    [InlineData(4096, 3)]
    public void Random_pages_of_a_huge_file_read_again_and_again_stay_under_the_capacity(int pageSize, int clones)
    {
        const int Seed = 20261;
        const long Length = 1L << 40;
        using var cache = new TestCache(capacity: 4 << 20, pageSize: pageSize, blockSize: 512, deviceLength: 512);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice(512));
        var first = cache.Own(volume.OpenFile(new EmptyHookExtents(Length), Length));
        MappedFile[] files = [first, .. Enumerable.Range(1, clones - 1).Select(_ => cache.Clone(first))];
        var random = new Random(Seed);
        var places = Enumerable.Range(0, 2000).Select(_ => random.NextInt64(Length / pageSize) * pageSize).ToArray();
        for (var i = 0; i < 8000; i++)
        {
            // Some places are read often, and some windows hold several of them.
            var place = places[random.Next(random.Next(4) == 0 ? places.Length : 50)] / (pageSize * 512L) * (pageSize * 512L)
                + random.Next(3) * pageSize;
            var file = files[random.Next(files.Length)];
            Assert.Equal(MemoryDevice.Word(place), file.ReadWord(place));
            AssertWithinCapacity(cache);
            if (i % 1000 == 0)
            {
                cache.Cache.Verify();
            }
        }

        // A page whose leaf was given up is still in its frame.
        Assert.True(cache.Figures.MinorFaults > 0);
        Assert.True(cache.Figures.Leaves > 0 && cache.Figures.UncollectedBytes >= 0);
        using (volume.OpenFile(new EmptyHookExtents(Length), Length))
        {
            first.Clone().Dispose();
        }
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Many_readers_of_sparse_windows_make_progress_under_the_capacity()
    {
        const long Length = 1L << 40;
        using var cache = new TestCache(capacity: 1 << 20, pageSize: 512, blockSize: 512, deviceLength: 512);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice(512));
        using var file = volume.OpenFile(new EmptyHookExtents(Length), Length);
        using var clone = file.Clone();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            var buffer = new byte[8];
            for (var i = 0; i < 1000; i++)
            {
                var place = random.NextInt64(1000) * (Length / 1000) / 512 * 512;
                Assert.Equal(8, await (random.Next(2) == 0 ? file : clone).ReadAsync(place, buffer));
                Assert.Equal(MemoryDevice.Word(place), BitConverter.ToUInt64(buffer));
            }
        }))).Within();

        // Where the gates of both files were never free, dead leaves were exchanged by copying paths; what these left behind
        // counts until it is collected.
        Collect();
        cache.Cache.Engine.Rooms.Supply.Balance();
        AssertWithinCapacity(cache);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Pruning_in_a_storm_of_clones_and_invalidations_keeps_books_and_bytes_right()
    {
        const long Length = 1L << 38;
        using var cache = new TestCache(capacity: 1 << 20, pageSize: 512, blockSize: 512, deviceLength: 512);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice(512));
        var rooms = cache.Cache.Engine.Rooms;
        var first = cache.Own(volume.OpenFile(new EmptyHookExtents(Length), Length));
        MappedFile[] files = [first, .. Enumerable.Range(0, 5).Select(_ => cache.Clone(first))];
        await Task.WhenAll(Enumerable.Range(0, 4).Select(seed => Task.Run(() =>
        {
            var random = new Random(seed);
            for (var i = 0; i < 4000; i++)
            {
                var place = random.NextInt64(300) * (Length / 300) / 512 * 512;
                var file = files[random.Next(files.Length)];
                switch (random.Next(40))
                {
                    case 0:
                        file.InvalidateExtents(place, 512);
                        break;
                    case 1:
                        try
                        {
                            using var clone = file.Clone();
                            Assert.Equal(MemoryDevice.Word(place), clone.ReadWord(place));
                        }
                        catch (CacheCapacityException)
                        {
                            // Copied paths count until they are collected.
                        }

                        break;
                    case 2:
                        rooms.Sweeper.Prune(static () => 20_000);
                        break;
                    default:
                        Assert.Equal(MemoryDevice.Word(place), file.ReadWord(place));
                        break;
                }
            }
        }))).Within();
        Collect();
        first.ReadWord(Length - 512);
        first.ReadWord(Length / 2);
        AssertWithinCapacity(cache);
        cache.Cache.Verify();

        // Every leaf in service counts exactly the files that have used its pages through it.
        var uses = new Dictionary<(Mappings.Leaf, int), int>();
        foreach (var mapping in files.Select(file => file.Mapping))
        {
            mapping.Tree.ForEachLeaf((window, leaf) =>
            {
                for (var slot = 0; slot < leaf.Slots.Length; slot++)
                {
                    if (mapping.Touches!.IsSet((window * leaf.Slots.Length) + slot))
                    {
                        uses[(leaf, slot)] = uses.GetValueOrDefault((leaf, slot)) + 1;
                    }
                }
            });
        }

        Assert.NotEmpty(uses);
        var counted = rooms.Families.AllLeaves().Where(leaf => !leaf.IsDead)
            .Sum(leaf => Enumerable.Range(0, leaf.Slots.Length).Sum(leaf.TouchesOf));
        Assert.All(uses.Where(use => !use.Key.Item1.IsDead), use => Assert.Equal(use.Value, use.Key.Item1.TouchesOf(use.Key.Item2)));
        Assert.Equal(uses.Where(use => !use.Key.Item1.IsDead).Sum(use => use.Value), counted);
    }

    [Fact]
    [Trait("Contract", "C9")]
    [Trait("Row", "B12")]
    public void Clones_that_fill_the_memory_take_frames_and_then_are_refused_with_the_numbers()
    {
        const long Capacity = 1 << 20;
        using var cache = new TestCache(capacity: Capacity);
        var file = cache.OpenRun(0, 1 << 20);
        file.ReadAll();
        var clones = new List<MappedFile>();
        CacheCapacityException? refused = null;
        while (refused is null)
        {
            try
            {
                clones.Add(cache.Clone(file));
            }
            catch (CacheCapacityException error)
            {
                refused = error;
            }

            Assert.InRange(clones.Count, 0, 20_000);
            if (clones.Count % 200 == 0)
            {
                AssertWithinCapacity(cache);
            }
        }

        AssertWithinCapacity(cache);
        Assert.Contains(Capacity.ToString(), refused.Message);
        Assert.Throws<CacheCapacityException>(() => cache.OpenRun(0, 4096));
        Assert.True(clones.Count > 1000);

        // Reads go on, and closing files makes room again.
        Files.AssertSame(cache.Device.Copy(0, 1 << 20), clones[^1].ReadAll());
        clones.ForEach(clone => clone.Dispose());
        cache.Clone(file).ReadWord(0);
        AssertWithinCapacity(cache);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public void Frames_given_up_for_metadata_come_back()
    {
        const long Capacity = 1 << 20;
        using var cache = new TestCache(capacity: Capacity);
        var pool = cache.Cache.Engine.Rooms.Pool;
        var file = cache.OpenRun(0, 1 << 20);
        file.ReadAll();
        var withheld = pool.WithheldCount;
        var clones = Enumerable.Range(0, 1000).Select(_ => cache.Clone(file)).ToArray();
        file.InvalidateExtents(0, 1 << 20);
        Files.AssertSame(cache.Device.Copy(0, 1 << 20), file.ReadAll());
        Assert.True(pool.WithheldCount > withheld);
        AssertWithinCapacity(cache);
        foreach (var clone in clones)
        {
            clone.Dispose();
        }

        Collect();
        file.InvalidateExtents(0, 1 << 20);
        Files.AssertSame(cache.Device.Copy(0, 1 << 20), file.ReadAll());
        Assert.InRange(pool.WithheldCount, 0, withheld + 2);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task A_stalled_device_blocks_only_those_who_need_it()
    {
        using var cache = new TestCache(frames: 32);
        var other = new MemoryDevice(1 << 20).Stamp(version: 2);
        var volume = cache.Own(cache.Cache.AttachVolume(other));
        var healthy = cache.Own(volume.OpenFile(new ListExtents(new Extent(0, 1 << 20, 0)), 1 << 20));
        var stalled = cache.OpenRun(0, 1 << 20);
        var gate = ReadGate.Before(cache.Device);
        var reads = Enumerable.Range(0, 20).Select(page => stalled.ReadAsync(page * 4096, new byte[8]).AsTask()).ToArray();
        Files.AssertSame(other.Bytes, healthy.ReadAll());
        Assert.All(reads, read => Assert.False(read.IsCompleted));
        gate.Open();
        await Task.WhenAll(reads).Within();
    }

    [Theory]
    [Trait("Contract", "C9")]
    [InlineData(16)]
    [InlineData(64)]
    public async Task A_hung_device_leaves_frames_and_reserve_to_the_others(int frames)
    {
        using var cache = new TestCache(frames: frames);
        var rooms = cache.Cache.Engine.Rooms;
        var other = new MemoryDevice(1 << 20).Stamp(version: 2);
        var volume = cache.Own(cache.Cache.AttachVolume(other));
        var healthy = cache.Own(volume.OpenFile(new ListExtents(new Extent(0, 1 << 20, 0)), 1 << 20));
        var hung = cache.OpenRun(0, 1 << 20);
        var gate = ReadGate.Before(cache.Device);
        var reads = Enumerable.Range(0, 200).Select(page => hung.ReadAsync(page * 4096, new byte[8]).AsTask()).ToArray();

        // Pages of the other volume still get frames, and stay.
        Assert.Equal(4096, await healthy.ReadAsync(0, new byte[4096]).AsTask().Within());
        Assert.True(healthy.IsResident(0));
        using (await healthy.PinAsync(8192).AsTask().Within())
        {
        }

        // And where no frame is left, they go around.
        var pinned = Enumerable.Range(0, frames).Where(frame => rooms.Frames[frame].State.Load().Phase != Frames.FramePhase.Loading).ToArray();
        Array.ForEach(pinned, frame => rooms.Frames.Pin(frame));
        var bytes = new byte[1 << 20];
        Assert.Equal(bytes.Length, await healthy.ReadAsync(0, bytes).AsTask().Within());
        Files.AssertSame(other.Bytes, bytes);
        Assert.True(cache.Figures.ReadsAround > 0);
        Assert.All(reads, read => Assert.False(read.IsCompleted));
        Array.ForEach(pinned, frame => rooms.Frames.Unpin(frame));
        gate.Open();
        Assert.All(await Task.WhenAll(reads).Within(), count => Assert.Equal(8, count));
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task A_wait_for_a_frame_of_the_reserve_can_be_cancelled_and_leaves_the_share_of_its_volume()
    {
        using var cache = new TestCache(frames: 16);
        var rooms = cache.Cache.Engine.Rooms;
        var other = cache.Own(cache.Cache.AttachVolume(new MemoryDevice(1 << 20).Stamp(version: 2)));
        var waiting = cache.Own(other.OpenFile(new ListExtents(new Extent(0, 1 << 20, 0)), 1 << 20));
        var hung = cache.OpenRun(0, 1 << 20);
        hung.ReadAt(0, 32 * 4096);
        var hungToo = ReadGate.Before((MemoryDevice)other.Device);
        var gate = ReadGate.Before(cache.Device);
        var frames = Enumerable.Range(0, 16).ToArray();
        Array.ForEach(frames, frame => rooms.Frames.Pin(frame));

        // All frames of the reserve but one are held by one volume, and the last by the other, which may have more.
        var most = rooms.Plan.Reserve - 1;
        Assert.InRange(most, 2, 15);
        var reads = Enumerable.Range(0, most).Select(page => hung.ReadAsync((100 + page) * 4096, new byte[8]).AsTask()).ToList();
        Bounded.Until(() => gate.Waiting == most, "the reads of one volume stand before the device");
        reads.Add(waiting.ReadAsync(0, new byte[8]).AsTask());
        Bounded.Until(() => hungToo.Waiting == 1, "one stands before the other device");
        for (var i = 0; i < 8; i++)
        {
            using var cancel = new CancellationTokenSource();
            var read = waiting.ReadAsync(4096, new byte[8], cancel.Token).AsTask();
            Assert.False(read.IsCompleted);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.Within());
            Assert.Equal(1, hungToo.Waiting);
        }

        hungToo.Open();
        gate.Open();
        await Task.WhenAll(reads).Within();
        Assert.Equal(8, await waiting.ReadAsync(8192, new byte[8]).AsTask().Within());
        Array.ForEach(frames, frame => rooms.Frames.Unpin(frame));
    }

    private static void AssertWithinCapacity(TestCache cache)
    {
        var (figures, pool) = (cache.Figures, cache.Cache.Engine.Rooms.Pool);
        var pages = (figures.FrameCount - pool.WithheldCount) * figures.PageSize;
        Assert.True(
            pages + figures.MetadataBytes <= figures.CapacityBytes,
            $"{pages} bytes of pages and {figures.MetadataBytes} of metadata exceed {figures.CapacityBytes}");
    }

    private static void Collect()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
