using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Sharing;

/// <summary>Trust domains: sharing made by the engine works across them, memory that changes hands is zeroed.</summary>
public class DomainTests
{
    private static readonly FileOpenOptions Tenant1 = new() { Domain = new SecurityDomain(1) };
    private static readonly FileOpenOptions Tenant2 = new() { Domain = new SecurityDomain(2) };

    [Theory]
    [Trait("Row", "A7")]
    [Trait("Contract", "C10")]
    [InlineData(4096, 4096)]
    [InlineData(4096, 512)]
    [InlineData(512, 4096)]
    public void A_frame_that_passes_to_another_domain_is_zeroed_before_the_device_gets_it(int pageSize, int blockSize)
    {
        using var cache = new TestCache(frames: 16, pageSize: pageSize, blockSize: blockSize, deviceLength: 1 << 20);
        cache.Open(new ListExtents(new Extent(0, 1 << 19, 0)), 1 << 19, Tenant1).ReadAll();
        var seen = 0;
        cache.Device.Inspect = (_, buffers) =>
        {
            foreach (var buffer in buffers)
            {
                seen++;
                Assert.Equal(-1, buffer.Span.IndexOfAnyExcept((byte)0));
            }

            cache.Device.Inspect = null;
        };
        var other = cache.Open(new ListExtents(new Extent(0, 1 << 19, 1 << 19)), 1 << 19, Tenant2);
        other.ReadAt(0, 8);
        Assert.True(seen > 0);
    }

    [Fact]
    [Trait("Row", "A7")]
    [Trait("Contract", "C10")]
    public void Short_and_failing_fills_show_one_domain_nothing_of_another()
    {
        using var cache = new TestCache(frames: 8, deviceLength: 1 << 20);
        var mine = cache.Open(new ListExtents(new Extent(0, 1 << 19, 0)), 1 << 19, Tenant1);
        var theirs = cache.Open(new ListExtents(new Extent(0, 1 << 19, 1 << 19)), 1 << 19, Tenant2);
        for (var page = 0; page < 32; page++)
        {
            mine.ReadAt(page * 4096L, 4096);
            var buffer = Canary.Buffer(4096);
            cache.Device.Deliver = _ => page % 2 == 0 ? 0 : 100;
            Assert.Throws<PageLoadException>(() => theirs.Read(page * 4096L, buffer));
            Canary.AssertUntouched(buffer);
            Assert.False(theirs.TryRead(page * 4096L, buffer, out _));
            Canary.AssertNothingForeign(buffer);
            cache.Device.Deliver = null;
            Files.AssertSame(cache.Device.Copy((1 << 19) + page * 4096, 4096), theirs.ReadAt(page * 4096L, 4096));
        }
    }

    [Fact]
    [Trait("Row", "A7")]
    [Trait("Contract", "C10")]
    public void A_read_around_the_cache_uses_zeroed_memory_too()
    {
        using var cache = new TestCache(frames: 8, deviceLength: 1 << 20);
        var rooms = cache.Cache.Engine.Rooms;
        var mine = cache.Open(new ListExtents(new Extent(0, 1 << 19, 0)), 1 << 19, Tenant1);
        var theirs = cache.Open(new ListExtents(new Extent(0, 1 << 19, 1 << 19)), 1 << 19, Tenant2);
        theirs.ReadAt(4096 * 100, 1);
        mine.ReadAt(0, 7 * 4096);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        mine.ReadAt(50 * 4096, 4096);
        var inspected = 0;
        cache.Device.Inspect = (_, buffers) =>
        {
            inspected++;
            Assert.All(buffers, buffer => Assert.Equal(-1, buffer.Span.IndexOfAnyExcept((byte)0)));
        };
        theirs.ReadAt(0, 4096);
        cache.Device.Inspect = null;
        Assert.Equal(1, inspected);
        Assert.Equal(2, cache.Figures.ReadsAround);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Row", "A7")]
    public void Domains_share_what_their_engine_made_them_share()
    {
        using var cache = new TestCache();
        var extent = new Extent(0, 65536, 0);
        var one = cache.Open(new ListExtents(extent), 65536, Tenant1);
        var two = cache.Open(new ListExtents(extent), 65536, Tenant2);
        var clone = cache.Clone(one, Tenant2);
        one.ReadAll();
        two.ReadAll();
        clone.ReadAll();
        Assert.Equal(16, cache.Device.BlocksRead);
        Assert.Equal(one.FrameAt(0), two.FrameAt(0));
        Assert.Equal(one.FrameAt(0), clone.FrameAt(0));
        Assert.Equal((1, 2, 2), (one.Domain.Value, two.Domain.Value, clone.Domain.Value));
        Assert.Equal(one.Domain, cache.Clone(one).Domain);
    }

    [Fact]
    [Trait("Row", "A7")]
    public void One_file_has_one_domain()
    {
        using var cache = new TestCache();
        var id = FileId.FromNumber(9);
        cache.Open(new ListExtents(new Extent(0, 4096, 0)), 4096, new FileOpenOptions { Id = id, Domain = new SecurityDomain(1) });
        var message = Assert.Throws<ArgumentException>(() => cache.Open(
            new ListExtents(new Extent(0, 4096, 0)), 4096, new FileOpenOptions { Id = id, Domain = new SecurityDomain(2) })).Message;
        Assert.Contains("domain 1", message);
        Assert.Contains("domain 2", message);
        Assert.Equal(1, cache.Figures.OpenFiles);
    }
}
