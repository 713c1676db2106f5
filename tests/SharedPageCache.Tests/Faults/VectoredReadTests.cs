using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Faults;

/// <summary>Neighbouring blocks come in one device read, into aligned memory; read-ahead warms all who share.</summary>
public class VectoredReadTests
{
    [Theory]
    [Trait("Row", "G6")]
    [InlineData(8, 1)]
    [InlineData(64, 1)]
    [InlineData(65, 2)]
    [InlineData(256, 4)]
    public void A_run_of_neighbouring_blocks_is_one_call_of_up_to_256_KiB(int pages, int calls)
    {
        using var cache = new TestCache(frames: 520);
        Files.AssertSame(cache.Device.Copy(0, pages * 4096), cache.OpenRun(0, pages * 4096).ReadAll());
        Assert.Equal(calls, cache.Device.Reads);
        Assert.Equal(calls, cache.Figures.DeviceReads);
        Assert.Equal(pages, cache.Figures.DevicePagesRead);
        Assert.Equal(Math.Min(64, pages), cache.Device.Requests[0].Buffers);
    }

    [Fact]
    [Trait("Row", "G6")]
    public async Task Awaiting_reads_gather_neighbours_too()
    {
        using var cache = new TestCache(frames: 520);
        var file = cache.OpenRun(0, 64 * 4096);
        Assert.Equal(64 * 4096, await file.ReadAsync(0, new byte[64 * 4096]));
        Assert.Equal(1, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "G6")]
    public void Each_physical_run_is_a_call_of_its_own()
    {
        using var cache = new TestCache(frames: 520);
        var file = cache.Open(
            new Extent(0, 8 * 4096, 0), new Extent(8 * 4096, 4096, 100 * 4096), new Extent(9 * 4096, 7 * 4096, 101 * 4096),
            new Extent(16 * 4096, 8 * 4096, 50 * 4096));
        file.ReadAll();
        Assert.Equal(
            [new BlockRun(0, 8 * 4096), new BlockRun(100 * 4096, 8 * 4096), new BlockRun(50 * 4096, 8 * 4096)],
            cache.Device.Requests.Select(request => request.Run));
    }

    [Fact]
    [Trait("Row", "G6")]
    public async Task An_engine_that_fails_while_a_long_read_goes_ahead_is_told_of_or_passed_over()
    {
        // Pages of several runs, each of which is a load of its own, for which the engine's sequence is asked.
        Extent[] extents = [.. Enumerable.Range(0, 8).Select(i => new Extent(i * 3 * 2048, 3 * 2048, (i + 1) * 65_536 + 512))];
        const int Length = 8 * 3 * 2048;
        for (var failing = 1; failing <= 40; failing++)
        {
            using var cache = new TestCache(blockSize: 512);
            var file = cache.Open(new RestlessSequence(failing, extents), Length);
            var bytes = new byte[Length];
            var gate = ReadGate.Before(cache.Device);
            var read = file.ReadAsync(0, bytes).AsTask();
            gate.Open();
            try
            {
                Assert.Equal(Length, await read.Within());
            }
            catch (ExtentMapException error)
            {
                Assert.Contains("not now", error.ToString(), StringComparison.Ordinal);
            }

            Assert.Equal(Length, await file.ReadAsync(0, bytes));
            Assert.All(extents, extent => Files.AssertSame(
                cache.Device.Copy(extent.PhysicalOffset, (int)extent.Length), bytes.AsSpan((int)extent.FileOffset, (int)extent.Length)));
        }
    }

    [Fact]
    [Trait("Row", "G6")]
    public void What_is_in_memory_already_is_not_read_again_on_the_way()
    {
        using var cache = new TestCache(frames: 520);
        var file = cache.OpenRun(0, 16 * 4096);
        var stranger = cache.OpenRun(4096, 16 * 4096);
        file.ReadAt(5 * 4096, 1);
        stranger.ReadAt(9 * 4096, 1);
        file.ReadAll();
        Assert.Equal(
            [(5, 1), (10, 1), (0, 5), (6, 4), (11, 5)],
            cache.Device.Requests.Select(request => ((int)(request.Run.Offset / 4096), (int)(request.Run.Length / 4096))));
    }

    [Fact]
    [Trait("Row", "G6")]
    public async Task Prefetch_brings_a_range_in_few_reads_and_reading_it_then_needs_none()
    {
        using var cache = new TestCache(frames: 520);
        var file = cache.OpenRun(0, 100 * 4096);
        await file.PrefetchAsync(10, 100 * 4096);
        Assert.Equal(2, cache.Device.Reads);
        Assert.Equal(100, cache.Figures.PagesReadAhead);
        Assert.True(file.TryRead(0, new byte[100 * 4096], out _));
        await file.PrefetchAsync(0, long.MaxValue);
        Assert.Equal(2, cache.Device.Reads);
    }

    [Theory]
    [Trait("Row", "G5")]
    [InlineData(4096, 4096)]
    [InlineData(65536, 512)]
    [InlineData(512, 512)]
    [InlineData(512, 4096)]
    public unsafe void Buffers_are_aligned_for_direct_io(int pageSize, int blockSize)
    {
        using var cache = new TestCache(frames: 64, pageSize: pageSize, blockSize: blockSize);
        var least = long.MaxValue;
        cache.Device.Inspect = (_, buffers) =>
        {
            foreach (var buffer in buffers)
            {
                using var pin = buffer.Pin();
                least = Math.Min(least, Files.AlignmentOf((nuint)pin.Pointer));
            }
        };
        cache.OpenRun(0, 1 << 20).ReadAll();
        cache.OpenRun(blockSize, 1 << 20).ReadAll();
        Assert.True(least >= Math.Min(4096, Math.Max(pageSize, blockSize)), $"aligned to {least} bytes");
    }

    [Fact]
    [Trait("Row", "G4")]
    [Trait("Row", "G6")]
    public void Read_ahead_begins_when_faults_follow_each_other_and_doubles()
    {
        using var cache = new TestCache(frames: 1024, readAhead: 32);
        var file = cache.OpenRun(0, 200 * 4096);
        for (var page = 0; page < 200; page++)
        {
            file.ReadWord(page * 4096L);
        }

        var sizes = cache.Device.Requests.Select(request => request.Run.Length / 4096).ToArray();
        Assert.Equal(1, sizes[0]);
        Assert.True(sizes.Zip(sizes.Skip(1)).SkipLast(1).All(pair => pair.Second >= pair.First), string.Join(' ', sizes));
        Assert.Equal(33, sizes.Max());
        Assert.InRange(sizes.Length, 2, 12);
        Assert.Equal(200, sizes.Sum());
    }

    [Fact]
    [Trait("Row", "G4")]
    public void Read_ahead_for_one_clone_warms_the_others()
    {
        using var cache = new TestCache(frames: 1024, readAhead: 32);
        var file = cache.OpenRun(0, 128 * 4096);
        var clone = cache.Clone(file);
        var stranger = cache.OpenRun(0, 128 * 4096);
        for (var page = 0; page < 20; page++)
        {
            file.ReadWord(page * 4096L);
        }

        var ahead = cache.Figures.PagesReadAhead;
        Assert.True(ahead > 0);
        var reads = cache.Device.Reads;
        stranger.ReadWord(0);
        var warm = Enumerable.Range(0, 128).Count(page => file.IsResident(page * 4096L));
        Assert.True(warm > 20);
        for (var page = 0; page < warm; page++)
        {
            Assert.True(clone.IsResident(page * 4096L));
            Assert.True(stranger.IsResident(page * 4096L));
        }

        Assert.Equal(reads, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "G4")]
    public void Random_reads_bring_nothing_that_nobody_asked_for()
    {
        using var cache = new TestCache(frames: 1024, readAhead: 32);
        var file = cache.OpenRun(0, 512 * 4096);
        for (var i = 0; i < 100; i++)
        {
            file.ReadWord(i * 37 % 512 * 4096L);
        }

        Assert.Equal(100, cache.Device.BlocksRead);
        Assert.Equal(0, cache.Figures.PagesReadAhead);
    }

    [Fact]
    [Trait("Row", "G4")]
    public void Read_ahead_can_be_switched_off()
    {
        using var cache = new TestCache(frames: 1024, readAhead: 0);
        var file = cache.OpenRun(0, 100 * 4096);
        for (var page = 0; page < 50; page++)
        {
            file.ReadWord(page * 4096L);
        }

        Assert.Equal(50, cache.Device.BlocksRead);
        Assert.Equal(50, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "G4")]
    [Trait("Row", "G7")]
    [Trait("Contract", "C11")]
    public void A_bad_block_ahead_does_not_fail_the_good_pages_before_it()
    {
        using var cache = new TestCache(frames: 1024, readAhead: 32);
        cache.Device.Break(50);
        var file = cache.OpenRun(0, 100 * 4096);
        for (var page = 0; page < 100; page++)
        {
            if (page == 50)
            {
                Assert.Equal(50 * 4096, Assert.Throws<PageLoadException>(() => file.ReadWord(50 * 4096)).Offset);
            }
            else
            {
                Assert.Equal(MemoryDevice.Word(page * 4096), file.ReadWord(page * 4096L));
            }
        }
    }

    [Theory]
    [Trait("Row", "G6")]
    [Trait("Contract", "C11")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_long_read_over_a_bad_block_delivers_what_stands_before_it_and_names_that_block(bool blocking)
    {
        using var cache = new TestCache(frames: 520);
        cache.Device.Break(5);
        var file = cache.OpenRun(0, 16 * 4096);
        var buffer = Canary.Buffer(16 * 4096);
        var error = await Assert.ThrowsAsync<PageLoadException>(
            async () => _ = blocking ? file.Read(0, buffer) : await file.ReadAsync(0, buffer));
        Assert.Equal(5 * 4096, error.Offset);
        Assert.Equal(new BlockRun(5 * 4096, 4096), error.Blocks);
        Files.AssertSame(cache.Device.Copy(0, 5 * 4096), buffer.AsSpan(0, 5 * 4096));
        Canary.AssertUntouched(buffer.AsSpan(5 * 4096));
    }

    [Fact]
    [Trait("Row", "G6")]
    [Trait("Contract", "C9")]
    public async Task Prefetch_of_more_than_the_cache_holds_brings_the_beginning()
    {
        using var cache = new TestCache(frames: 64, deviceLength: 4096);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice());
        using var file = volume.OpenFile(new ListExtents(new Extent(0, 1L << 43, 0)), 1L << 56);
        await file.PrefetchAsync(8192, long.MaxValue).Within();
        Assert.Equal(0, cache.Figures.Evictions);
        Assert.InRange(cache.Figures.DevicePagesRead, 56, 64);
        Assert.True(file.TryRead(8192, new byte[50 * 4096], out _));

        // What is there already counts too: nothing is read that would push it out.
        await file.PrefetchAsync(8192, long.MaxValue).Within();
        Assert.Equal(0, cache.Figures.Evictions);
    }

    [Fact]
    [Trait("Row", "G6")]
    [Trait("Contract", "C9")]
    public async Task Prefetch_passes_over_holes_and_gives_up_in_an_endless_one()
    {
        const long Data = 4100L * 4096;
        using var cache = new TestCache(frames: 64);
        var extents = new ListExtents(new Extent(4096, 4096, 0), new Extent(Data, 8192, 8192));
        var file = cache.Open(extents, 1L << 56);
        await file.PrefetchAsync(0, long.MaxValue).Within();
        Assert.Equal(3, cache.Figures.DevicePagesRead);
        Assert.True(file.TryRead(Data, new byte[8192], out _));
        Assert.InRange(extents.Asked, Data / (512 * 4096), 64);
    }

    /// <summary>Cannot say its sequence, once.</summary>
    private sealed class RestlessSequence(int failing, params Extent[] extents) : IExtentMap
    {
        private readonly ListExtents _extents = new(extents);
        private int _looks;

        public long Sequence => Interlocked.Increment(ref _looks) == failing ? throw new IOException("not now") : _extents.Sequence;

        public ValueTask GetExtentsAsync(
            long offset, long length, System.Buffers.IBufferWriter<Extent> destination, CancellationToken cancellationToken) =>
            _extents.GetExtentsAsync(offset, length, destination, cancellationToken);
    }
}
