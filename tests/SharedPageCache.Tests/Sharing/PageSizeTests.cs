using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Sharing;

/// <summary>Pages and blocks of different sizes, and pages whose bytes come from several runs.</summary>
public class PageSizeTests
{
    [Theory]
    [Trait("Row", "A9")]
    [Trait("Row", "L19")]
    [InlineData(512, 4096)]
    [InlineData(512, 65536)]
    [InlineData(4096, 512)]
    [InlineData(4096, 4096)]
    [InlineData(65536, 512)]
    [InlineData(65536, 4096)]
    [InlineData(65536, 65536)]
    [InlineData(4096, 65536)]
    public async Task Any_page_size_reads_any_block_size(int pageSize, int blockSize)
    {
        using var cache = new TestCache(frames: 24, pageSize: pageSize, blockSize: blockSize, deviceLength: 2 << 20);

        // Physical runs on odd blocks, a hole, and a last extent that reaches past the end of the file.
        var b = blockSize;
        var file = cache.Open(
            new ListExtents(
                new Extent(0, 3 * b, 5 * b), new Extent(3 * b, 2 * b, b), Extent.Hole(5 * b, b), new Extent(6 * b, 4 * b, 11 * b)),
            (9 * b) + 100);
        var expected = new byte[file.Length];
        cache.Device.Copy(5 * b, 3 * b).CopyTo(expected, 0);
        cache.Device.Copy(b, 2 * b).CopyTo(expected, 3 * b);
        cache.Device.Copy(11 * b, (3 * b) + 100).CopyTo(expected, 6 * b);
        var clone = cache.Clone(file);
        Files.AssertSame(expected, file.ReadAll());
        var buffer = Canary.Buffer(file.Length + 50);
        Assert.Equal(file.Length, await clone.ReadAsync(0, buffer));
        Files.AssertSame(expected, buffer.AsSpan(0, expected.Length));
        Canary.AssertUntouched(buffer.AsSpan(expected.Length));
        cache.Cache.Verify();

        // Any offset, also across pages.
        for (var offset = 0L; offset < file.Length; offset += (file.Length / 37) + 1)
        {
            var part = file.ReadAt(offset, 1000);
            Files.AssertSame(expected.AsSpan((int)offset, part.Length), part);
        }
    }

    [Fact]
    [Trait("Row", "A9")]
    public void A_page_made_of_several_runs_is_shared_by_clones_and_by_files_over_the_same_extents()
    {
        using var cache = new TestCache(blockSize: 512);
        Extent[] extents = [new(0, 512, 4096), new(512, 1024, 512 * 99), new(1536, 2560, 512 * 31)];
        var file = cache.Open(extents);
        var clone = cache.Clone(file);
        var stranger = cache.Open(extents);
        byte[] expected = [.. cache.Device.Copy(4096, 512), .. cache.Device.Copy(512 * 99, 1024), .. cache.Device.Copy(512 * 31, 2560)];
        Files.AssertSame(expected, file.ReadAll());
        Files.AssertSame(expected, clone.ReadAll());
        Files.AssertSame(expected, stranger.ReadAll());
        Assert.Equal(3, cache.Device.Reads);
        Assert.Equal(8, cache.Device.BlocksRead);
        Assert.Equal(1, cache.ResidentPages);
        Assert.Equal(file.FrameAt(0), stranger.FrameAt(0));
    }

    [Fact]
    [Trait("Row", "A9")]
    public void A_run_that_is_aligned_to_blocks_but_not_to_pages_has_no_identity_and_works()
    {
        using var cache = new TestCache(blockSize: 512);
        var shifted = cache.Open(new Extent(0, 8192, 512 * 3));
        Files.AssertSame(cache.Device.Copy(512 * 3, 8192), shifted.ReadAll());
        var straight = cache.Open(new Extent(0, 8192, 0));
        Files.AssertSame(cache.Device.Copy(0, 8192), straight.ReadAll());
        Assert.NotEqual(shifted.FrameAt(0), straight.FrameAt(0));
    }

    [Theory]
    [Trait("Row", "A9")]
    [Trait("Contract", "C8")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_page_made_of_several_runs_falls_with_any_of_them(int which)
    {
        using var cache = new TestCache(blockSize: 512);
        Extent[] extents = [new(0, 512, 4096), new(512, 1024, 512 * 99), new(1536, 2560, 512 * 31)];
        var file = cache.Open(extents);
        file.ReadAll();
        var discarded = extents[which].PhysicalOffset + extents[which].Length - 512;
        cache.Device.StampBlock(discarded / 512, version: 3);
        cache.Volume.Discard(new BlockRun(discarded, 512));
        Assert.False(file.IsResident(0));
        byte[] expected = [.. cache.Device.Copy(4096, 512), .. cache.Device.Copy(512 * 99, 1024), .. cache.Device.Copy(512 * 31, 2560)];
        Files.AssertSame(expected, file.ReadAll());
    }

    [Fact]
    [Trait("Row", "A9")]
    public void A_page_made_of_several_runs_stays_when_other_blocks_are_discarded()
    {
        using var cache = new TestCache(blockSize: 512);
        var file = cache.Open(new Extent(0, 512, 4096), new Extent(512, 3584, 512 * 99));
        file.ReadAll();
        cache.Volume.Discard(new BlockRun(512 * 90, 512 * 9));
        cache.Volume.Discard(new BlockRun(4096 + 512, 512));
        cache.Volume.Discard(new BlockRun(512 * 106, 5120));
        Assert.True(file.IsResident(0));
    }

    [Fact]
    [Trait("Row", "A9")]
    [Trait("Row", "L19")]
    public void Pages_smaller_than_the_block_are_shared_one_by_one()
    {
        using var cache = new TestCache(pageSize: 512, blockSize: 4096);
        var file = cache.OpenRun(8192, 8192);
        var other = cache.OpenRun(8192 + 4096, 4096);
        file.ReadAll();
        var reads = cache.Device.Reads;
        Files.AssertSame(cache.Device.Copy(8192 + 4096, 4096), other.ReadAll());
        Assert.Equal(reads, cache.Device.Reads);
        Assert.Equal(16, cache.ResidentPages);
        Assert.Equal(file.FrameAt(4096 + 512), other.FrameAt(512));
    }

    [Fact]
    [Trait("Row", "A9")]
    public void Several_page_sizes_work_side_by_side_over_one_device()
    {
        using var small = new TestCache(pageSize: 512);
        using var large = new TestCache(pageSize: 65536, frames: 8);
        using var volume = large.Cache.AttachVolume(small.Device);
        using var file = volume.OpenFile(new ListExtents(new Extent(0, 1 << 20, 0)), 1 << 20);
        Files.AssertSame(small.Device.Copy(0, 1 << 20), file.ReadAll());
        Files.AssertSame(small.Device.Copy(0, 1 << 20), small.OpenRun(0, 1 << 20).ReadAll());
    }

    [Fact]
    [Trait("Row", "A9")]
    public void Discarding_a_block_smaller_than_the_page_drops_the_page()
    {
        using var cache = new TestCache(pageSize: 4096, blockSize: 512);
        var file = cache.OpenRun(0, 65536);
        file.ReadAll();
        cache.Device.StampBlock(9, version: 1);
        cache.Volume.Discard(new BlockRun(9 * 512, 512));
        Assert.False(file.IsResident(4096));
        Assert.True(file.IsResident(0));
        Assert.True(file.IsResident(8192));
        Files.AssertSame(cache.Device.Copy(0, 65536), file.ReadAll());
        Assert.Equal(17 * 8, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "A9")]
    [Trait("Row", "L30")]
    public void Opaque_extents_are_read_through_their_file_and_stay_private_to_it()
    {
        using var cache = new TestCache();
        var device = new OpaqueDevice();
        var volume = cache.Own(cache.Cache.AttachVolume(device));
        Extent[] extents = [new(0, 8192, 0, ExtentFlags.Opaque)];
        var (a, b) = (new ListExtents(extents), new ListExtents(extents));
        var fileA = cache.Own(volume.OpenFile(a, 8000));
        var fileB = cache.Own(volume.OpenFile(b, 8000));
        var clone = cache.Clone(fileA);
        Assert.Equal(OpaqueDevice.Word(a, 4096), fileA.ReadWord(4096));
        Assert.Equal(OpaqueDevice.Word(b, 4096), fileB.ReadWord(4096));
        Assert.Equal(OpaqueDevice.Word(a, 4096), clone.ReadWord(4096));
        Assert.Equal(2, device.Reads);
        Assert.Equal(fileA.FrameAt(4096), clone.FrameAt(4096));
        Assert.NotEqual(fileA.FrameAt(4096), fileB.FrameAt(4096));
    }
}
