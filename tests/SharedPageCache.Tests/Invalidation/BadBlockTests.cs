using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Invalidation;

/// <summary>A block that has gone bad is told to all who show it, and repaired once for all.</summary>
public class BadBlockTests
{
    private const int Page = 4096;
    private const int Length = 16 * Page;

    [Fact]
    [Trait("Row", "C6")]
    [Trait("Row", "L37")]
    [Trait("Contract", "C11")]
    public void Every_file_that_shows_a_bad_block_is_named_and_told_and_the_device_is_not_asked()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, Length, 0)), Length, new FileOpenOptions { Id = FileId.FromNumber(1) });
        var clone = cache.Clone(file, new FileOpenOptions { Id = FileId.FromNumber(2) });
        var shifted = cache.Open(new ListExtents(new Extent(0, Length, Page)), Length, new FileOpenOptions { Id = FileId.FromNumber(3) });
        file.ReadAll();
        clone.ReadAll();
        shifted.ReadAll();
        var reads = cache.Device.Reads;
        var bad = new BlockRun(3 * Page, Page);
        var told = cache.Volume.ReportBadBlocks(bad);
        Assert.Equal(
            [(1UL, 3L * Page), (2, 3 * Page), (3, 2 * Page)],
            told.Select(place => (place.File.Low, place.Offset)).Order().ToArray());
        Assert.All(told, place => Assert.Equal(bad, place.Blocks));
        foreach (var (view, offset) in new[] { (file, 3L * Page), (clone, 3 * Page), (shifted, 2 * Page) })
        {
            for (var attempt = 0; attempt < 2; attempt++)
            {
                var error = Assert.Throws<PageLoadException>(() => view.ReadWord(offset));
                Assert.Equal((view.Id, offset, bad), (error.File, error.Offset, error.Blocks));
            }

            Assert.False(view.IsResident(offset));
            Assert.Equal(MemoryDevice.Word(4 * Page), view.ReadWord(offset + Page));
        }

        Assert.Equal(reads, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "L37")]
    [Trait("Contract", "C4")]
    public void A_lease_taken_before_stays_readable_and_none_is_given_after()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadWord(Page);
        Assert.True(file.TryPin(Page, out var lease));
        cache.Volume.ReportBadBlocks(new BlockRun(Page, Page));
        cache.Device.StampBlock(1, version: 1);
        Assert.Equal(MemoryDevice.Word(Page), BitConverter.ToUInt64(lease.Span));
        Assert.False(file.TryPin(Page, out _));
        lease.Dispose();
    }

    [Theory]
    [Trait("Row", "C6")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_load_under_way_is_called_off_and_all_who_wait_are_told(bool blocking)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var stranger = cache.OpenRun(Page, Length);
        var gate = ReadGate.After(cache.Device);
        Task<int> Begin(MappedFile view, long offset) =>
            blocking ? Task.Run(() => view.Read(offset, new byte[8])) : view.ReadAsync(offset, new byte[8]).AsTask();
        var first = Begin(file, Page);
        await gate.Arrived;
        var second = Begin(stranger, 0);
        cache.Volume.ReportBadBlocks(new BlockRun(Page, Page));
        gate.Open();
        var errors = await Task.WhenAll(
            Assert.ThrowsAsync<PageLoadException>(() => first).Within(), Assert.ThrowsAsync<PageLoadException>(() => second).Within());
        Assert.Equal([(Page, new BlockRun(Page, Page)), (0, new BlockRun(Page, Page))], errors.Select(error => (error.Offset, error.Blocks)));
        Assert.Equal(1, cache.Device.Reads);
    }

    [Fact]
    public void A_read_of_many_pages_reads_all_around_the_bad_one()
    {
        using var cache = new TestCache(frames: 128);
        var file = cache.OpenRun(0, Length);
        cache.Volume.ReportBadBlocks(new BlockRun(5 * Page, Page));
        var error = Assert.Throws<PageLoadException>(() => file.Read(0, new byte[Length]));
        Assert.Equal(5 * Page, error.Offset);
        Assert.True(file.IsResident(4 * Page));
        Assert.Equal(10 * Page, file.Read(6 * Page, new byte[Length]));
        Assert.DoesNotContain(cache.Device.Requests, request => request.Run.Overlaps(new BlockRun(5 * Page, Page)));
    }

    [Fact]
    public void A_page_of_several_blocks_is_bad_if_one_of_them_is()
    {
        using var cache = new TestCache(blockSize: 512);
        var pieces = cache.Open(new Extent(0, 2048, 512), new Extent(2048, 2048, 8192 + 512), new Extent(4096, 4096, 65536));
        pieces.ReadAll();
        var told = cache.Volume.ReportBadBlocks(new BlockRun(8192 + 1024, 512));
        Assert.Equal(2048 + 512, Assert.Single(told).Offset);
        var error = Assert.Throws<PageLoadException>(() => pieces.ReadWord(0));
        Assert.Equal(new BlockRun(8192 + 512, 2048), error.Blocks);
        Assert.Equal(MemoryDevice.Word(65536), pieces.ReadWord(4096));
        cache.Volume.Discard(new BlockRun(8192 + 1024, 512));
        Assert.Equal(MemoryDevice.Word(512), pieces.ReadWord(0));
    }

    [Fact]
    [Trait("Contract", "C9")]
    public void A_read_around_a_full_cache_is_told_too()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, 64 * Page);
        file.ReadAt(0, 7 * Page);
        var rooms = cache.Cache.Engine.Rooms;
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        Assert.Equal(MemoryDevice.Word(40 * Page), file.ReadWord(40 * Page));
        Assert.Equal(1, cache.Figures.ReadsAround);
        cache.Volume.ReportBadBlocks(new BlockRun(20 * Page, 30 * Page));
        var reads = cache.Device.Reads;
        Assert.Throws<PageLoadException>(() => file.ReadWord(40 * Page));
        Assert.Equal(reads, cache.Device.Reads);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Row", "L37")]
    public async Task A_repair_writes_once_and_heals_all_who_show_the_block()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        MappedFile[] views = [file, cache.Clone(file), cache.OpenRun(0, Length)];
        Assert.All(views, view => view.ReadAll());
        var bad = new BlockRun(2 * Page, 2 * Page);
        cache.Volume.ReportBadBlocks(bad);
        cache.Device.Bytes.Slice(2 * Page, 2 * Page).Clear();
        var reads = cache.Device.Reads;
        var good = new byte[2 * Page];
        good.AsSpan().Fill(7);
        await cache.Volume.RepairAsync(bad, good);
        Assert.Equal((1, 1), (cache.Device.Writes, cache.Device.Flushes));
        Assert.All(views, view => Assert.Equal(0x0707070707070707UL, view.ReadWord(3 * Page + 8)));
        Assert.Equal(reads + 1, cache.Device.Reads);
        await Assert.ThrowsAsync<InvalidOperationException>(() => cache.Volume.RepairAsync(bad, good).AsTask());
        Assert.Equal(1, cache.Device.Writes);
    }

    [Fact]
    public async Task A_part_of_what_is_bad_can_be_repaired()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        cache.Volume.ReportBadBlocks(new BlockRun(0, 3 * Page));
        await cache.Volume.RepairAsync(new BlockRun(Page, Page), new byte[Page]);
        Assert.Equal(0UL, file.ReadWord(Page));
        Assert.Throws<PageLoadException>(() => file.ReadWord(0));
        Assert.Throws<PageLoadException>(() => file.ReadWord(2 * Page));
        await Assert.ThrowsAsync<InvalidOperationException>(() => cache.Volume.RepairAsync(new BlockRun(0, 2 * Page), new byte[2 * Page]).AsTask());
        Assert.Throws<PageLoadException>(() => file.ReadWord(0));
    }

    [Theory]
    [InlineData("write")]
    [InlineData("short")]
    [InlineData("flush")]
    public async Task A_repair_that_fails_leaves_the_block_bad_and_may_be_tried_again(string step)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var bad = new BlockRun(Page, Page);
        cache.Volume.ReportBadBlocks(bad);
        cache.Device.BeforeWrite = step == "write" ? static _ => throw new IOException("the disk is broken.") : null;
        cache.Device.BeforeFlush = step == "flush" ? static () => throw new IOException("the disk does not flush.") : null;
        cache.Device.Accept = step == "short" ? static _ => 0 : null;
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => cache.Volume.RepairAsync(bad, new byte[Page]).AsTask());
        Assert.Equal(step == "flush" ? "flush" : "write", error.Step);
        Assert.Throws<PageLoadException>(() => file.ReadWord(Page));
        (cache.Device.BeforeWrite, cache.Device.BeforeFlush, cache.Device.Accept) = (null, null, null);
        await cache.Volume.RepairAsync(bad, new byte[Page]);
        Assert.Equal(0UL, file.ReadWord(Page));
    }

    [Fact]
    public async Task A_reader_that_comes_while_a_block_is_repaired_sees_good_bytes_or_the_error()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var bad = new BlockRun(Page, Page);
        cache.Volume.ReportBadBlocks(bad);
        var writing = new TaskCompletionSource();
        cache.Device.BeforeWrite = _ => writing.Task;
        var repair = cache.Volume.RepairAsync(bad, new byte[Page]).AsTask();
        Assert.Throws<PageLoadException>(() => file.ReadWord(Page));
        await Assert.ThrowsAsync<InvalidOperationException>(() => cache.Volume.RepairAsync(bad, new byte[Page]).AsTask());
        writing.SetResult();
        await repair.Within();
        Assert.Equal(0UL, file.ReadWord(Page));
    }

    [Fact]
    public void A_discarded_block_is_nobodys_and_no_longer_bad()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        cache.Volume.ReportBadBlocks(new BlockRun(Page, Page));
        cache.Volume.Discard(new BlockRun(Page, Page));
        Assert.Equal(MemoryDevice.Word(Page), file.ReadWord(Page));
    }

    [Fact]
    public async Task Wrong_arguments_are_refused_and_change_nothing()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        foreach (var run in new BlockRun[] { new(-Page, Page), new(0, 0), new(0, -Page), new(1, Page), new(0, Page + 1), new(long.MaxValue - 4095, Page) })
        {
            Assert.Throws<ArgumentException>(() => cache.Volume.ReportBadBlocks(run));
            Assert.Throws<ArgumentException>(() => cache.Volume.BeginDirectWrite(run));
            await Assert.ThrowsAsync<ArgumentException>(() => cache.Volume.RepairAsync(run, new byte[Page]).AsTask());
        }

        await Assert.ThrowsAsync<ArgumentException>(() => cache.Volume.RepairAsync(new BlockRun(0, Page), new byte[Page - 1]).AsTask());
        await Assert.ThrowsAsync<InvalidOperationException>(() => cache.Volume.RepairAsync(new BlockRun(0, Page), new byte[Page]).AsTask());
        Assert.True(file.IsResident(0) && file.IsResident(Length - Page));
        Assert.Equal(0, cache.Device.Writes);
        cache.Volume.BeginDirectWrite(new BlockRun(0, Page)).Dispose();
    }
}
