using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Invalidation;

/// <summary>An engine that writes its blocks in place, past the cache: readers see a page before or after, and nothing old later.</summary>
public class DirectWriteTests
{
    private const int Page = 4096;
    private const int Length = 16 * Page;

    [Fact]
    [Trait("Row", "F6")]
    [Trait("Row", "L24")]
    public void What_is_cached_of_the_blocks_is_gone_and_all_files_read_the_new_bytes()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        MappedFile[] views = [file, cache.Clone(file), cache.OpenRun(0, Length)];
        Assert.All(views, view => view.ReadAll());
        using (var write = cache.Volume.BeginDirectWrite(new BlockRun(3 * Page, Page)))
        {
            Assert.Equal(new BlockRun(3 * Page, Page), write.Blocks);
            Assert.All(views, view => Assert.False(view.IsResident(3 * Page)));
            Assert.All(views, view => Assert.Equal(MemoryDevice.Word(2 * Page), view.ReadWord(2 * Page)));
            cache.Device.StampBlock(3, version: 1);
        }

        Assert.All(views, view => Assert.Equal(MemoryDevice.Word(3 * Page, 1), view.ReadWord(3 * Page)));
        Assert.Equal(17, cache.Device.BlocksRead);
    }

    [Theory]
    [Trait("Row", "F6")]
    [Trait("Row", "F4")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_fill_begun_before_is_not_published_and_who_waited_reads_again(bool blocking)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var gate = ReadGate.After(cache.Device);
        var buffer = new byte[Page];
        var read = blocking ? Task.Run(() => file.Read(Page, buffer)) : file.ReadAsync(Page, buffer).AsTask();
        await gate.Arrived;
        using (cache.Volume.BeginDirectWrite(new BlockRun(Page, Page)))
        {
            cache.Device.StampBlock(1, version: 1);
            cache.Device.AfterRead = null;
        }

        gate.Open();
        Assert.Equal(Page, await read.Within());
        Files.AssertSame(cache.Device.Copy(Page, Page), buffer);
    }

    [Theory]
    [Trait("Row", "F6")]
    [Trait("Contract", "C3")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_reads_while_the_device_is_written_waits(bool blocking)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var buffer = new byte[Page];
        Task<int> read;
        using (cache.Volume.BeginDirectWrite(new BlockRun(0, 2 * Page)))
        {
            cache.Device.Bytes.Slice(Page, Page / 2).Fill(1);
            read = blocking ? Task.Run(() => file.Read(Page, buffer)) : file.ReadAsync(Page, buffer).AsTask();
            await Task.Delay(30);
            Assert.False(read.IsCompleted);
            cache.Device.Bytes.Slice(Page, Page).Fill(2);
        }

        Assert.Equal(Page, await read.Within());
        Assert.Equal(-1, buffer.AsSpan().IndexOfAnyExcept((byte)2));
        Assert.Equal(1, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "F6")]
    public async Task Who_waits_may_give_up()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        using var stop = new CancellationTokenSource();
        using var write = cache.Volume.BeginDirectWrite(new BlockRun(0, Page));
        var read = file.ReadAsync(0, new byte[8], stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read).Within();
        var another = file.ReadAsync(0, new byte[8]).AsTask();
        cache.Volume.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => another).Within();
    }

    [Theory]
    [Trait("Row", "F6")]
    [Trait("Contract", "C3")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_around_the_cache_never_shows_a_mix(bool ends)
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        file.ReadAt(0, 7 * Page);
        var rooms = cache.Cache.Engine.Rooms;
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        // The old bytes are in the reader's frame already when the engine begins to write.
        var gate = ReadGate.After(cache.Device);
        var buffer = new byte[Page];
        var read = file.ReadAsync(10 * Page, buffer).AsTask();
        await gate.Arrived;
        var write = cache.Volume.BeginDirectWrite(new BlockRun(10 * Page, Page));
        cache.Device.AfterRead = null;
        cache.Device.StampBlock(10, version: 1);
        if (ends)
        {
            write.Dispose();
        }

        gate.Open();
        await Task.Delay(10);
        Assert.True(ends || !read.IsCompleted);
        write.Dispose();
        Assert.Equal(Page, await read.Within());
        Files.AssertSame(cache.Device.Copy(10 * Page, Page), buffer);
        Assert.Equal(2, cache.Figures.ReadsAround);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Row", "F6")]
    public async Task A_page_of_several_runs_waits_for_each_of_them()
    {
        using var cache = new TestCache(blockSize: 512);
        var pieces = cache.Open(new Extent(0, 2048, 512), new Extent(2048, 2048, 8192));
        pieces.ReadAll();
        Task<ulong> read;
        using (cache.Volume.BeginDirectWrite(new BlockRun(8192 + 512, 512)))
        {
            Assert.False(pieces.IsResident(0));
            read = Task.Run(() => pieces.ReadWord(2048 + 512));
            await Task.Delay(30);
            Assert.False(read.IsCompleted);
            cache.Device.Bytes.Slice(8192 + 512, 8).Fill(3);
        }

        Assert.Equal(0x0303030303030303UL, await read.Within());
    }

    [Fact]
    [Trait("Row", "F6")]
    public void Two_writes_of_a_block_at_a_time_are_refused_and_leases_and_discards_are_not()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadWord(Page);
        Assert.True(file.TryPin(Page, out var lease));
        using (cache.Volume.BeginDirectWrite(new BlockRun(Page, 2 * Page)))
        {
            Assert.Throws<InvalidOperationException>(() => cache.Volume.BeginDirectWrite(new BlockRun(2 * Page, 2 * Page)));
            Assert.Throws<InvalidOperationException>(() => cache.Volume.Relocate(new BlockRun(Page, Page), new BlockRun(8 * Page, Page)));
            Assert.Throws<InvalidOperationException>(() => cache.Volume.Relocate(new BlockRun(8 * Page, Page), new BlockRun(Page, Page)));
            using var neighbour = cache.Volume.BeginDirectWrite(new BlockRun(3 * Page, Page));
            cache.Volume.Discard(new BlockRun(Page, Page));
            cache.Device.StampBlock(1, version: 1);
        }

        Assert.Equal(MemoryDevice.Word(Page), BitConverter.ToUInt64(lease.Span));
        lease.Dispose();
        Assert.Equal(MemoryDevice.Word(Page, 1), file.ReadWord(Page));
        cache.Volume.BeginDirectWrite(new BlockRun(2 * Page, 2 * Page)).Dispose();
    }
}
