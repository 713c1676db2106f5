using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Hits;

/// <summary>
/// Reads of a few bytes have a way of their own if they are of the most usual kind (<c>PageReader.TryCopyWords</c>), and so have leases of hot
/// pages. Whether a read is of that kind must not be seen.
/// </summary>
public class ShortReadTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Row", "D1")]
    public void Every_length_at_every_place_of_a_page_reads_what_the_device_has()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);

        // From the last page to the first: what follows a page in memory is not the next page of the file.
        for (var page = 15; page >= 0; page--)
        {
            Assert.Equal(1, file.Read(page * 4096, new byte[1]));
        }

        var buffer = new byte[24];
        for (var length = 1; length <= 20; length++)
        {
            // Up to the end of a page, and over it.
            for (var offset = 4096 + 4096 - 24; offset <= 4096 + 4096 + 8; offset++)
            {
                Array.Fill(buffer, (byte)0xEE);
                Assert.True(file.TryRead(offset, buffer.AsSpan(2, length), out var count));
                Assert.Equal(length, count);
                Files.AssertSame(cache.Device.Copy(offset, length), buffer.AsSpan(2, length));
                Assert.Equal(-1, buffer.AsSpan(0, 2).IndexOfAnyExcept((byte)0xEE));
                Assert.Equal(-1, buffer.AsSpan(2 + length).IndexOfAnyExcept((byte)0xEE));
                Array.Clear(buffer);
                Assert.Equal(length, file.Read(offset, buffer.AsSpan(0, length)));
                Files.AssertSame(cache.Device.Copy(offset, length), buffer.AsSpan(0, length));
            }
        }
    }

    [Fact]
    [Trait("Row", "D1")]
    public void A_short_read_is_clipped_at_the_end_of_the_file_and_refused_before_its_beginning()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, Length, 0)), Length - 100);
        file.ReadAll();
        var buffer = new byte[12];
        for (var rest = 0; rest <= 12; rest++)
        {
            Assert.True(file.TryRead(Length - 100 - rest, buffer, out var count));
            Assert.Equal(rest, count);
            Assert.Equal(rest, file.Read(Length - 100 - rest, buffer));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => file.TryRead(-8, buffer, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(long.MinValue, buffer));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.TryPin(-1, out _));
        Assert.True(file.TryRead(long.MaxValue, buffer, out var none));
        Assert.Equal(0, none);
    }

    [Fact]
    [Trait("Row", "D1")]
    public void A_short_read_of_a_hole_reads_zero_and_of_a_page_that_is_not_in_memory_nothing()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, 4096, 0), new Extent(8192, 4096, 8192)), 3 * 4096);
        var buffer = new byte[8];
        Assert.False(file.TryRead(0, buffer, out _));
        file.ReadAll();
        Array.Fill(buffer, (byte)0xEE);
        Assert.True(file.TryRead(4096 + 8, buffer, out var count));
        Assert.Equal(8, count);
        Assert.Equal(-1, buffer.AsSpan().IndexOfAnyExcept((byte)0));
        cache.EvictAll();
        Assert.False(file.TryRead(0, buffer, out _));
    }

    [Fact]
    public void Of_a_read_that_is_not_all_in_memory_what_was_copied_is_cleared_and_the_rest_is_left()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, 2 * 4096);
        file.ReadAt(0, 100);
        var buffer = new byte[2 * 4096];
        Array.Fill(buffer, (byte)0xEE);
        Assert.False(file.TryRead(0, buffer, out var count));
        Assert.Equal(0, count);
        Assert.Equal(-1, buffer.AsSpan(0, 4096).IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, buffer.AsSpan(4096).IndexOfAnyExcept((byte)0xEE));
    }

    [Fact]
    [Trait("Row", "D1")]
    public void A_closed_file_and_a_detached_volume_refuse_short_reads_and_leases()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var other = cache.OpenRun(0, Length);
        file.ReadAll();
        other.ReadAll();
        Lease(file, 0);
        Lease(file, 0);
        var buffer = new byte[8];
        other.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.TryRead(0, buffer, out _));
        Assert.Throws<ObjectDisposedException>(() => other.Read(0, buffer));
        Assert.True(file.TryRead(0, buffer, out _));
        cache.Volume.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.TryRead(0, buffer, out _));
        Assert.Throws<ObjectDisposedException>(() => file.Read(0, buffer));
        Assert.Throws<ObjectDisposedException>(() => file.TryPin(0, out _));
    }

    [Theory]
    [Trait("Row", "D1")]
    [Trait("Row", "G3")]
    [InlineData(EvictionPolicy.S3Fifo)]
    [InlineData(EvictionPolicy.Lru)]
    public void Short_reads_and_leases_of_hot_pages_count_as_hits_and_as_uses(EvictionPolicy policy)
    {
        using var cache = new TestCache(policy: policy);
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        file.ReadAll();
        var buffer = new byte[8];
        var before = cache.Figures;
        for (var i = 0; i < 100; i++)
        {
            Assert.True(file.TryRead(i % 8 * 4096, buffer, out _));
            Assert.Equal(8, file.Read(i % 8 * 4096, buffer));
            Lease(file, i % 8 * 4096);
        }

        Assert.Equal(300, cache.Figures.Hits - before.Hits);
        Assert.Equal(before.SavedBytes, cache.Figures.SavedBytes);

        // The clone's own first uses are first uses, whatever the pages have been through.
        for (var page = 0; page < 8; page++)
        {
            Assert.True(clone.TryRead(page * 4096, buffer, out _));
            Assert.True(clone.TryRead(page * 4096, buffer, out _));
        }

        Assert.Equal(8 * 4096, cache.Figures.SavedBytes - before.SavedBytes);
        var rooms = cache.Cache.Engine.Rooms;
        Assert.Equal(3, rooms.Frames[file.FrameAt(0).Value].UseCount);
    }

    [Fact]
    [Trait("Row", "H1")]
    public void A_lease_of_a_hot_page_ends_where_the_page_or_the_file_ends()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, Length, 0)), Length - 100);
        file.ReadAll();
        for (var i = 0; i < 6; i++)
        {
            Assert.True(file.TryPin(Length - 4096 + 96, out var last));
            Assert.Equal(3900, last.Span.Length);
            Files.AssertSame(cache.Device.Copy(Length - 4000, 3900), last.Span);
            last.Dispose();
            Assert.True(file.TryPin(4096 + 10, out var inside));
            Files.AssertSame(cache.Device.Copy(4096 + 10, 4086), inside.Span);
            inside.Dispose();
            Assert.Throws<ArgumentOutOfRangeException>(() => file.TryPin(Length - 100, out _));
        }
    }

    [Fact]
    [Trait("Row", "D1")]
    public void A_lease_of_a_hole_ends_where_the_file_ends()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, 4096, 0)), (3 * 4096) + 100);
        file.ReadAll();
        Assert.True(file.TryPin((3 * 4096) + 30, out var last));
        Assert.Equal(70, last.Span.Length);
        last.Dispose();
        Assert.True(file.TryPin(4096 + 1, out var inside));
        Assert.Equal(4095, inside.Span.Length);
        inside.Dispose();
    }

    [Fact]
    [Trait("Row", "D1")]
    public void Short_reads_of_a_file_of_two_levels_are_hits_too()
    {
        const long Far = 3L << 30;
        using var cache = new TestCache(deviceLength: 4 << 20);
        var file = cache.Open(new ListExtents(new Extent(0, 4096, 4096), new Extent(Far, 4096, 8192)), Far + 4096);
        var buffer = new byte[8];
        Assert.Equal(8, file.Read(Far + 16, buffer));
        var before = cache.Figures.Hits;
        for (var i = 0; i < 5; i++)
        {
            Assert.True(file.TryRead(Far + 16, buffer, out _));
            Files.AssertSame(cache.Device.Copy(8192 + 16, 8), buffer);
            Lease(file, Far);
        }

        Assert.Equal(10, cache.Figures.Hits - before);
    }

    private static void Lease(MappedFile file, long offset)
    {
        Assert.True(file.TryPin(offset, out var lease));
        lease.Dispose();
    }
}
