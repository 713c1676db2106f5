using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Faults;

/// <summary>A load that fails: typed, told to all who wait, not cached, and no byte of it is seen.</summary>
public class LoadFailureTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Contract", "C11")]
    [Trait("Row", "G7")]
    public async Task A_failure_reaches_all_who_wait_and_names_their_file_offset_and_block()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var file = cache.Open(new ListExtents(new Extent(0, Length, 65536)), Length, new FileOpenOptions { Name = "root.img", Id = FileId.FromNumber(3) });
        var clone = cache.Clone(file, new FileOpenOptions { Name = "clone.img" });
        var shifted = cache.Open(new ListExtents(new Extent(4096, Length, 65536)), Length + 4096, new FileOpenOptions { Name = "shifted.img" });
        (MappedFile File, long Offset)[] places = [(file, 8192), (clone, 8192), (shifted, 12288)];
        var reads = places.Select(place => place.File.ReadAsync(place.Offset + 10, new byte[8]).AsTask()).ToArray();
        var pin = clone.PinAsync(8192).AsTask();
        await gate.Arrived;
        gate.Fail("the disk is broken.");
        for (var i = 0; i < reads.Length; i++)
        {
            var error = await Assert.ThrowsAsync<PageLoadException>(() => reads[i].Within());
            Assert.Equal((places[i].File.Id, places[i].File.Name, places[i].Offset), (error.File, error.FileName, error.Offset));
            Assert.Equal(new BlockRun(65536 + 8192, 4096), error.Blocks);
            Assert.Equal("the disk is broken.", Assert.IsType<IOException>(error.InnerException).Message);
            Assert.Contains(places[i].File.Name, error.Message);
            Assert.Contains($"offset {places[i].Offset}", error.Message);
            Assert.Contains("[73728, 77824)", error.Message);
        }

        await Assert.ThrowsAsync<PageLoadException>(() => pin.Within());
        Assert.Equal(1, cache.Figures.LoadFailures);
        Assert.Single(cache.Device.Requests);
    }

    [Theory]
    [Trait("Contract", "C11")]
    [Trait("Row", "G7")]
    [InlineData(4096, 4096)]
    [InlineData(512, 4096)]
    [InlineData(4096, 512)]
    public void A_failure_is_not_cached(int pageSize, int blockSize)
    {
        using var cache = new TestCache(pageSize: pageSize, blockSize: blockSize);
        var file = cache.Open(new Extent(0, 2 * blockSize, 5 * blockSize), new Extent(2 * blockSize, 64 * blockSize, 100 * blockSize));
        cache.Device.Break([.. Enumerable.Range(0, 500).Select(block => (long)block)]);
        for (var i = 0; i < 50; i++)
        {
            var buffer = Canary.Buffer(2 * pageSize);
            Assert.Throws<PageLoadException>(() => file.Read(i * 512, buffer));
            Canary.AssertUntouched(buffer);
            Assert.Equal(0, cache.ResidentPages);
        }

        Assert.InRange(cache.Figures.LoadFailures, 50, 100);
        cache.Cache.Verify();
        cache.Device.Heal();
        Files.AssertSame(
            [.. cache.Device.Copy(5 * blockSize, 2 * blockSize), .. cache.Device.Copy(100 * blockSize, 64 * blockSize)], file.ReadAll());
    }

    [Theory]
    [Trait("Contract", "C10")]
    [Trait("Row", "G7")]
    [InlineData(4096)]
    [InlineData(512)]
    public void Short_reads_are_continued_and_the_bytes_are_right(int blockSize)
    {
        using var cache = new TestCache(frames: 128, blockSize: blockSize);
        var random = new Random(7);
        cache.Device.Deliver = run => run.Length == blockSize ? blockSize : random.Next(blockSize, (int)run.Length + 1);
        Files.AssertSame(cache.Device.Copy(4096, 64 * 4096), cache.OpenRun(4096, 64 * 4096).ReadAll());
        Assert.True(cache.Device.Reads > 8);
        Assert.Equal(cache.Device.Reads, cache.Figures.DeviceReads);
        Assert.Equal(0, cache.Figures.LoadFailures);
    }

    [Theory]
    [Trait("Contract", "C10")]
    [Trait("Contract", "C11")]
    [Trait("Row", "G7")]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(-1)]
    [InlineData(4097)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void A_device_that_delivers_nothing_or_nonsense_fails_the_load_and_leaves_no_byte(int delivered)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(8192, 4096);
        cache.Device.Deliver = _ => delivered;
        var buffer = Canary.Buffer(4096);
        var error = Assert.Throws<PageLoadException>(() => file.Read(0, buffer));
        Assert.Contains("of 4096 bytes", error.Message);
        Assert.Contains(delivered is 100 or 0 ? "read 0" : delivered.ToString(), error.Message.Replace("read 100", "read 0"));
        Canary.AssertUntouched(buffer);
        Assert.False(file.TryRead(0, buffer, out _));
        cache.Device.Deliver = null;
        Files.AssertSame(cache.Device.Copy(8192, 4096), file.ReadAll());
    }

    [Fact]
    [Trait("Contract", "C11")]
    [Trait("Row", "G7")]
    public async Task A_device_that_throws_anything_fails_the_load_as_documented()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        Exception[] errors = [new IOException("a"), new OperationCanceledException(), new InvalidOperationException("b"), new TimeoutException()];
        foreach (var thrown in errors)
        {
            cache.Device.BeforeRead = _ => throw thrown;
            Assert.Same(thrown, Assert.Throws<PageLoadException>(() => file.Read(0, new byte[8])).InnerException);
            Assert.Same(thrown, (await Assert.ThrowsAsync<PageLoadException>(async () => await file.ReadAsync(0, new byte[8]))).InnerException);
            Assert.Same(thrown, (await Assert.ThrowsAsync<PageLoadException>(async () => await file.PinAsync(0))).InnerException);
        }

        Assert.Equal(12, cache.Figures.LoadFailures);
    }

    [Fact]
    [Trait("Contract", "C11")]
    [Trait("Contract", "C9")]
    public void A_failing_read_around_the_cache_is_typed_too_and_leaks_no_reserve()
    {
        using var cache = new TestCache(frames: 8);
        var rooms = cache.Cache.Engine.Rooms;
        var file = cache.OpenRun(0, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        cache.Device.Break(100);
        for (var i = 0; i < 5; i++)
        {
            var buffer = Canary.Buffer(4096);
            var error = Assert.Throws<PageLoadException>(() => file.Read(100 * 4096, buffer));
            Assert.Equal(100 * 4096, error.Offset);
            Canary.AssertUntouched(buffer);
        }

        cache.Device.Heal();
        Assert.Equal(MemoryDevice.Word(100 * 4096), file.ReadWord(100 * 4096));
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Contract", "C11")]
    public void A_device_that_cannot_tell_its_length_fails_the_load_as_documented()
    {
        using var cache = new PageCache(new PageCacheOptions { ExactFrameCount = 16, HugePages = false });
        using var volume = cache.AttachVolume(new LostDevice());
        using var file = volume.OpenFile(new ListExtents(new Extent(8192, Length, 4096)), Length + 8192, new FileOpenOptions { Name = "lost" });
        var error = Assert.Throws<PageLoadException>(() => file.ReadWord(12288));
        Assert.Equal((file.Id, "lost", 8192, new BlockRun(4096, Length)), (error.File, error.FileName, error.Offset, error.Blocks));
        Assert.IsType<ObjectDisposedException>(error.InnerException);
    }

    [Fact]
    [Trait("Contract", "C11")]
    [Trait("Row", "G7")]
    public async Task Prefetch_leaves_an_error_to_whoever_reads_the_page()
    {
        using var cache = new TestCache();
        cache.Device.Break(3);
        var file = cache.OpenRun(0, Length);
        await file.PrefetchAsync(0, Length);
        Assert.Throws<PageLoadException>(() => file.ReadWord(3 * 4096));
        Assert.Equal(MemoryDevice.Word(0), file.ReadWord(0));
    }

    [Fact]
    [Trait("Contract", "C11")]
    public async Task A_range_lease_that_fails_gives_back_what_it_had()
    {
        using var cache = new TestCache(frames: 16);
        cache.Device.Break(3);
        var file = cache.OpenRun(0, Length);
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(3 * 4096, (await Assert.ThrowsAsync<PageLoadException>(async () => await file.PinRangeAsync(0, 5 * 4096))).Offset);
        }

        cache.Device.Heal();
        using var range = await file.PinRangeAsync(0, 5 * 4096).Within();
        Assert.Equal(5 * 4096, range.Sequence.Length);
    }

    [Fact]
    [Trait("Row", "G7")]
    public async Task A_load_that_fails_because_its_origin_was_closed_is_tried_again_through_another_file()
    {
        using var cache = new TestCache();
        var first = new ListExtents(new Extent(0, Length, 0));
        var gate = ReadGate.Before(cache.Device);
        var closing = cache.Open(first, Length);
        var staying = cache.Open(new ListExtents(new Extent(4096, Length, 0)), Length + 4096);
        var lost = closing.ReadAsync(0, new byte[8]).AsTask();
        var waits = staying.ReadAsync(4096, new byte[8]).AsTask();
        await gate.Arrived;
        closing.Dispose();
        cache.Device.BeforeRead = null;
        gate.Fail("the file is closed.");
        Assert.Equal(8, await waits.Within());
        await Assert.ThrowsAnyAsync<Exception>(() => lost.Within());
        Assert.NotSame(first, cache.Device.Requests[^1].Origin.File);
    }

    /// <summary>A device whose handle somebody has closed.</summary>
    private sealed class LostDevice : IBlockDevice
    {
        public int BlockSize => 4096;

        public long Length => throw new ObjectDisposedException("handle");

        public ValueTask<int> ReadAsync(
            BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
            throw new ObjectDisposedException("handle");
    }
}
