using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Sharing;

/// <summary>Holes, unwritten extents and file tails read zero, cost nothing, and never show anybody's bytes.</summary>
public class HoleTests
{
    [Theory]
    [Trait("Row", "A10")]
    [Trait("Contract", "C10")]
    [InlineData(ExtentFlags.Hole)]
    [InlineData(ExtentFlags.Unwritten)]
    [InlineData(ExtentFlags.Unwritten | ExtentFlags.Shared)]
    public async Task Ranges_without_written_blocks_read_zero_without_a_frame_or_a_read(ExtentFlags flags)
    {
        using var cache = new TestCache();
        var file = cache.Open(new Extent(0, 1 << 20, 4096, flags));
        var buffer = Canary.Buffer(1 << 20);
        Assert.Equal(1 << 20, file.Read(0, buffer));
        Assert.Equal(-1, buffer.AsSpan().IndexOfAnyExcept((byte)0));
        Assert.True(file.TryRead(5000, buffer, out var count));
        Assert.Equal((1 << 20) - 5000, count);
        using (var lease = await file.PinAsync(8192))
        {
            Assert.Equal(4096, lease.Length);
            Assert.False(lease.Frame.IsSome);
            Assert.Equal(-1, lease.Memory.Span.IndexOfAnyExcept((byte)0));
        }

        Assert.True(file.TryPin(8192, out var stackLease));
        Assert.Equal(-1, stackLease.Span.IndexOfAnyExcept((byte)0));
        stackLease.Dispose();
        Assert.Equal(0, cache.Device.Reads);
        Assert.Equal(0, cache.ResidentPages);
        Assert.Equal(0, cache.Figures.LeasedFrames);
        Assert.Equal(0, cache.Figures.SavedBytes);
    }

    [Fact]
    [Trait("Row", "A10")]
    public void What_no_extent_covers_is_a_hole()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(8192, 4096, 0), new Extent(1 << 20, 4096, 4096)), 3 << 20);
        var expected = new byte[3 << 20];
        cache.Device.Copy(0, 4096).CopyTo(expected, 8192);
        cache.Device.Copy(4096, 4096).CopyTo(expected, 1 << 20);
        Files.AssertSame(expected, file.ReadAll());
        Assert.Equal(2, cache.Device.BlocksRead);
        Assert.Equal(2, cache.ResidentPages);
        Assert.Equal(0, cache.Open(new ListExtents(), 0).Read(0, new byte[10]));
    }

    [Fact]
    [Trait("Row", "A10")]
    [Trait("Contract", "C10")]
    public void A_terabyte_of_hole_costs_no_more_than_its_empty_leaves()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(), 1L << 40);
        var before = cache.Figures.MetadataBytes;
        for (var step = 0L; step < 16; step++)
        {
            Assert.Equal(0UL, file.ReadWord((step << 36) + 12345));
        }

        Assert.Equal(0, cache.ResidentPages);
        Assert.InRange(cache.Figures.MetadataBytes - before, 0, 16 * (16 << 10));
    }

    [Theory]
    [Trait("Row", "A10")]
    [Trait("Contract", "C10")]
    [InlineData(4096)]
    [InlineData(512)]
    public async Task A_view_ends_where_its_file_ends(int blockSize)
    {
        using var cache = new TestCache(blockSize: blockSize);
        var length = 4096 + 1000;
        var extents = new Extent(0, blockSize == 4096 ? 8192 : 4096 + 1024, 65536);
        var file = cache.Open(new ListExtents(extents), length);
        var buffer = Canary.Buffer(8192);
        Assert.Equal(length, file.Read(0, buffer));
        Files.AssertSame(cache.Device.Copy(65536, length), buffer.AsSpan(0, length));
        Canary.AssertUntouched(buffer.AsSpan(length));

        buffer = Canary.Buffer(8192);
        Assert.True(file.TryRead(4096, buffer, out var count));
        Assert.Equal(1000, count);
        Canary.AssertUntouched(buffer.AsSpan(1000));
        Assert.Equal(10, await file.ReadAsync(length - 10, buffer));

        using (var lease = await file.PinAsync(4096 + 10))
        {
            Files.AssertSame(cache.Device.Copy(65536 + 4096 + 10, 990), lease.Memory.Span);
        }

        Assert.True(file.TryPin(length - 1, out var last));
        Assert.Equal(1, last.Span.Length);
        last.Dispose();
        using var range = await file.PinRangeAsync(100, long.MaxValue);
        Assert.Equal(length - 100, range.Sequence.Length);
    }

    [Theory]
    [Trait("Row", "A10")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(1L << 50)]
    [InlineData(long.MaxValue - 5096)]
    public async Task Reads_at_or_behind_the_end_are_short_as_files_do(long behind)
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, 8192, 0)), 5096);
        var buffer = Canary.Buffer(100);
        Assert.Equal(0, file.Read(5096 + behind, buffer));
        Assert.Equal(0, await file.ReadAsync(5096 + behind, buffer));
        Assert.True(file.TryRead(5096 + behind, buffer, out var count));
        Assert.Equal(0, count);
        Assert.Equal(0, file.Read(0, []));
        await file.PrefetchAsync(5096 + behind, long.MaxValue);
        Canary.AssertUntouched(buffer);
        Assert.Equal(0, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "A10")]
    [Trait("Contract", "C10")]
    public void Files_of_different_lengths_over_the_same_blocks_each_see_their_own_end()
    {
        using var cache = new TestCache();
        var extent = new Extent(0, 8192, 0);
        var shorter = cache.Open(new ListExtents(extent), 4097);
        var longer = cache.Open(new ListExtents(extent), 8192);
        longer.ReadAll();
        var buffer = Canary.Buffer(8192);
        Assert.Equal(4097, shorter.Read(0, buffer));
        Canary.AssertUntouched(buffer.AsSpan(4097));
        Assert.True(shorter.TryPin(4096, out var lease));
        Assert.Equal(1, lease.Span.Length);
        lease.Dispose();
        Assert.Equal(2, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Contract", "C10")]
    [Trait("Row", "A10")]
    public void The_rest_of_a_last_page_that_no_block_covers_is_zero_in_its_frame()
    {
        using var cache = new TestCache(frames: 8, blockSize: 512);
        cache.OpenRun(1 << 20, 1 << 20).ReadAll();
        var file = cache.Open(new ListExtents(new Extent(0, 512, 0)), 300);
        file.ReadAll();
        Assert.True(file.TryPin(0, out var lease));
        using (lease)
        {
            Assert.Equal(300, lease.Span.Length);
            var frame = cache.Cache.Engine.Rooms.Arena.Span(lease.Frame.Value);
            Assert.Equal(-1, frame[512..].IndexOfAnyExcept((byte)0));
        }
    }
}
