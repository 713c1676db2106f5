using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Sharing;

/// <summary>For each block at most one frame, however many files, clones and offsets show it.</summary>
public class OneCopyTests
{
    private const int Pages = 16;
    private const int Length = Pages * 4096;

    [Theory]
    [Trait("Contract", "C1")]
    [Trait("Row", "A3")]
    [Trait("Row", "L1")]
    [Trait("Row", "L27")]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(200)]
    public void Any_number_of_clones_read_in_full_keeps_one_page_of_each_block(int clones)
    {
        using var cache = new TestCache();
        var file = cache.Open(new CloneableExtents(new Extent(0, Length, 8192)), Length);
        var expected = cache.Device.Copy(8192, Length);
        for (var i = 0; i < clones; i++)
        {
            Files.AssertSame(expected, cache.Clone(file).ReadAll());
        }

        Assert.Equal(Pages, cache.Device.BlocksRead);
        Assert.Equal(Pages, cache.ResidentPages);
        Assert.Equal((clones - 1) * (long)Length, cache.Figures.SavedBytes);
    }

    [Fact]
    [Trait("Contract", "C1")]
    [Trait("Row", "A3")]
    [Trait("Row", "L1")]
    [Trait("Row", "L20")]
    public void Files_opened_independently_over_the_same_extents_keep_one_page_of_each_block()
    {
        using var cache = new TestCache();
        var expected = cache.Device.Copy(0, Length);
        for (var i = 0; i < 50; i++)
        {
            Files.AssertSame(expected, cache.OpenRun(0, Length).ReadAll());
        }

        Assert.Equal(Pages, cache.Device.BlocksRead);
        Assert.Equal(Pages, cache.ResidentPages);
    }

    [Fact]
    [Trait("Contract", "C1")]
    [Trait("Row", "A4")]
    [Trait("Row", "L2")]
    [Trait("Row", "L3")]
    public async Task Hot_pages_pinned_through_many_files_are_the_same_frame()
    {
        using var cache = new TestCache();
        var origin = cache.OpenRun(0, Length);
        MappedFile[] files = [origin, cache.Clone(origin), cache.Clone(cache.Clone(origin)), cache.OpenRun(0, Length)];
        var leases = new List<PageMemoryLease>();
        for (var page = 0; page < Pages; page++)
        {
            foreach (var file in files)
            {
                leases.Add(await file.PinAsync(page * 4096));
            }
        }

        Assert.Equal(Pages, leases.Select(lease => lease.Frame).Distinct().Count());
        for (var i = 0; i < leases.Count; i++)
        {
            Assert.Equal(leases[i - i % files.Length].Frame, leases[i].Frame);
            Assert.Equal(MemoryDevice.Word(i / files.Length * 4096), BitConverter.ToUInt64(leases[i].Memory.Span));
        }

        Assert.Equal(Pages, cache.Device.BlocksRead);
        Assert.Equal(Pages, cache.ResidentPages);
        leases.ForEach(lease => lease.Dispose());
    }

    [Fact]
    [Trait("Contract", "C1")]
    [Trait("Row", "A5")]
    [Trait("Row", "L7")]
    public void A_block_that_shows_at_several_offsets_is_one_frame()
    {
        using var cache = new TestCache();
        var twice = cache.Open(new Extent(0, 4096, 4096 * 9), new Extent(4096, 4096, 4096 * 3), new Extent(8192, 8192, 4096 * 9));
        var elsewhere = cache.Open(new Extent(0, 4096 * 4, 4096 * 6), new Extent(4096 * 600, 4096, 4096 * 9));
        Assert.Equal(MemoryDevice.Word(4096 * 9), twice.ReadWord(0));
        Assert.Equal(MemoryDevice.Word(4096 * 9), twice.ReadWord(8192));
        Assert.Equal(MemoryDevice.Word(4096 * 9), elsewhere.ReadWord(4096 * 3));
        Assert.Equal(MemoryDevice.Word(4096 * 9), elsewhere.ReadWord(4096 * 600));
        Assert.Equal(1, cache.Device.BlocksRead);
        var frame = twice.FrameAt(0);
        Assert.True(frame.IsSome);
        Assert.Equal(frame, twice.FrameAt(8192));
        Assert.Equal(frame, elsewhere.FrameAt(4096 * 3));
        Assert.Equal(frame, elsewhere.FrameAt(4096 * 600));
    }

    [Fact]
    [Trait("Row", "A5")]
    [Trait("Row", "L31")]
    public void Files_that_share_only_a_part_share_exactly_that_part()
    {
        using var cache = new TestCache();
        var golden = cache.OpenRun(0, Length);
        var diverged = cache.Open(
            new Extent(0, 4 * 4096, 0), new Extent(4 * 4096, 4096, 100 * 4096), new Extent(5 * 4096, 11 * 4096, 5 * 4096));
        golden.ReadAll();
        var bytes = diverged.ReadAll();
        Files.AssertSame(cache.Device.Copy(0, 4 * 4096), bytes.AsSpan(0, 4 * 4096));
        Files.AssertSame(cache.Device.Copy(100 * 4096, 4096), bytes.AsSpan(4 * 4096, 4096));
        Files.AssertSame(cache.Device.Copy(5 * 4096, 11 * 4096), bytes.AsSpan(5 * 4096));
        Assert.Equal(Pages + 1, cache.Device.BlocksRead);
        for (var page = 0; page < Pages; page++)
        {
            Assert.Equal(page != 4, golden.FrameAt(page * 4096) == diverged.FrameAt(page * 4096));
        }
    }

    [Fact]
    [Trait("Row", "L12")]
    [Trait("Row", "L23")]
    public void A_cold_read_loads_once_and_an_unrelated_tree_then_finds_the_page_by_its_block()
    {
        using var cache = new TestCache();
        var cold = cache.OpenRun(0, Length);
        var hot = cache.OpenRun(4096, Length);

        Assert.Equal(MemoryDevice.Word(8192), cold.ReadWord(8192));
        Assert.Equal((0, 0, 1, 1), Counts(cache));

        // The other tree begins a page later: not the same leaf, only the same block.
        Assert.Equal(MemoryDevice.Word(8192), hot.ReadWord(4096));
        Assert.Equal((0, 1, 1, 1), Counts(cache));

        Assert.Equal(MemoryDevice.Word(8192), hot.ReadWord(4096));
        Assert.Equal(MemoryDevice.Word(8192), cold.ReadWord(8192));
        Assert.Equal((2, 1, 1, 1), Counts(cache));
    }

    [Fact]
    [Trait("Row", "L12")]
    [Trait("Row", "L27")]
    public void A_file_over_the_same_extents_hits_at_once_what_a_stranger_has_read()
    {
        using var cache = new TestCache();
        cache.OpenRun(0, Length).ReadAll();
        var before = Counts(cache);
        var extents = new ListExtents(new Extent(0, Length, 0));
        var stranger = cache.Open(extents, Length);
        stranger.ReadWord(0);
        Assert.Equal(1, extents.Asked);
        for (var page = 1; page < Pages; page++)
        {
            Assert.True(stranger.IsResident(page * 4096));
        }

        Assert.Equal(1, extents.Asked);
        Assert.Equal(before.Major, Counts(cache).Major);
        Assert.Equal(Pages, cache.Device.BlocksRead);
        Assert.Equal(1, cache.Figures.Leaves);
    }

    [Fact]
    [Trait("Row", "L6")]
    [Trait("Row", "L27")]
    [Trait("Row", "L30")]
    public void Pages_outlive_the_file_that_brought_them_in()
    {
        using var cache = new TestCache();
        var first = cache.OpenRun(0, Length);
        var second = cache.Clone(first);
        first.ReadAll();
        first.Dispose();
        Assert.All(Enumerable.Range(0, Pages), page => Assert.True(second.IsResident(page * 4096)));
        second.Dispose();
        Files.AssertSame(cache.Device.Copy(4096, Length), cache.OpenRun(4096, Length).ReadAll());
        Assert.Equal(Pages + 1, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "L20")]
    [Trait("Row", "L24")]
    [Trait("Row", "L33")]
    public void A_whole_volume_opened_as_one_file_shares_pages_with_the_files_on_it()
    {
        using var cache = new TestCache(frames: 2048);
        var file = cache.OpenRun(64 * 4096, Length);
        var disk = cache.OpenRun(0, cache.Device.Length);
        file.ReadAll();
        Files.AssertSame(cache.Device.Copy(64 * 4096, Length), disk.ReadAt(64 * 4096, Length));
        Assert.Equal(Pages, cache.Device.BlocksRead);
        Assert.Equal(file.FrameAt(0), disk.FrameAt(64 * 4096));
    }

    [Fact]
    [Trait("Row", "L4")]
    [Trait("Row", "L31")]
    public void A_file_that_leaves_a_shared_page_leaves_the_others_their_entries()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var leaver = cache.Open(extents, Length);
        var stranger = cache.OpenRun(0, Length);
        var clone = cache.Clone(stranger);
        leaver.ReadAll();
        stranger.ReadAll();

        // What an engine does when it copies a page on write: another block, for this file alone.
        extents.Replace(new Extent(0, 4096, 0), new Extent(4096, 4096, 500 * 4096), new Extent(8192, Length - 8192, 8192));
        leaver.InvalidateExtents(4096, 4096);

        Assert.True(stranger.IsResident(4096));
        Assert.True(clone.IsResident(4096));
        Assert.Equal(MemoryDevice.Word(500 * 4096), leaver.ReadWord(4096));
        Assert.Equal(MemoryDevice.Word(4096), stranger.ReadWord(4096));
        Assert.Equal(MemoryDevice.Word(4096), clone.ReadWord(4096));
        Files.AssertSame(cache.Device.Copy(8192, Length - 8192), leaver.ReadAt(8192, Length));
        Assert.Equal(Pages + 1, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "L5")]
    public void A_load_names_the_file_and_offset_that_asked_not_the_first_opener()
    {
        using var cache = new TestCache();
        var (first, second) = (new ListExtents(new Extent(0, Length, 0)), new ListExtents(new Extent(8192, Length, 0)));
        cache.Open(first, Length).ReadWord(0);
        cache.Open(second, Length + 8192).ReadWord(8192 + 4096);
        Assert.Equal(
            [new BlockOrigin(first, 0), new BlockOrigin(second, 8192 + 4096)],
            cache.Device.Requests.Select(request => request.Origin));
    }

    private static (long Hits, long Minor, long Major, long DeviceReads) Counts(TestCache cache) =>
        (cache.Figures.Hits, cache.Figures.MinorFaults, cache.Figures.MajorFaults, cache.Figures.DeviceReads);
}
