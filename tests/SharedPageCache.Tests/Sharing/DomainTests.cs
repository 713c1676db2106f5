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

    [Fact]
    [Trait("Row", "A7")]
    [Trait("Contract", "C10")]
    public void Files_of_two_volumes_that_say_nothing_do_not_trust_each_other()
    {
        using var cache = new TestCache(frames: 8, deviceLength: 1 << 20);
        cache.OpenRun(0, 1 << 19).ReadAll();
        var device = new MemoryDevice(1 << 19).Stamp(version: 1);
        using var volume = cache.Cache.AttachVolume(device);
        var file = cache.Own(volume.OpenFile(new ListExtents(new Extent(0, 1 << 19, 0)), 1 << 19));
        Assert.Equal(4, SeenZeroed(device, file));
    }

    [Fact]
    [Trait("Row", "A7")]
    [Trait("Contract", "C10")]
    public void The_volume_that_gets_the_number_of_one_that_is_gone_gets_nothing_of_its_memory()
    {
        using var cache = new TestCache(frames: 8, deviceLength: 1 << 20, volumeNumbers: 2);
        var device = new MemoryDevice(1 << 19).Stamp(version: 1);
        for (var i = 0; i < 3; i++)
        {
            using var volume = cache.Cache.AttachVolume(device);
            using var file = volume.OpenFile(new ListExtents(new Extent(0, 1 << 19, 0)), 1 << 19);
            Assert.True(SeenZeroed(device, file) > 0);
        }
    }

    [Fact]
    [Trait("Row", "A7")]
    public void One_tenant_on_two_volumes_is_one_tenant()
    {
        using var cache = new TestCache(frames: 8, deviceLength: 1 << 20);
        cache.Open(new ListExtents(new Extent(0, 1 << 19, 0)), 1 << 19, Tenant1).ReadAll();
        var device = new MemoryDevice(1 << 19).Stamp(version: 1);
        using var volume = cache.Cache.AttachVolume(device);
        var file = cache.Own(volume.OpenFile(new ListExtents(new Extent(0, 1 << 19, 0)), 1 << 19, Tenant1));
        device.Inspect = static (_, buffers) => Assert.All(buffers, static buffer => Assert.NotEqual(-1, buffer.Span.IndexOfAnyExcept((byte)0)));
        file.ReadAt(0, 4096);
        device.Inspect = null;
    }

    [Fact]
    [Trait("Row", "A7")]
    public void The_report_of_a_domain_does_not_tell_what_others_have_in_memory()
    {
        using var cache = new TestCache();
        var extents = new Extent(0, 65536, 0);
        var one = cache.Open(new ListExtents(extents), 65536, Tenant1);
        var cold = cache.Open(new ListExtents(new Extent(0, 65536, 1 << 20)), 65536, Tenant2);
        one.ReadAll();
        cold.ReadAll();
        var before = cache.Volume.GetReport(new SecurityDomain(2));
        Assert.Equal(new DomainReport(OpenFiles: 1, DirtyBytes: 0, FirstUses: 16, LoadFailures: 0), before);

        // All of it is in memory because of the other domain, and it counts as if it were not.
        var warm = cache.Open(new ListExtents(extents), 65536, Tenant2);
        warm.ReadAll();
        Assert.Equal(32, cache.Device.BlocksRead);
        Assert.Equal(before with { OpenFiles = 2, FirstUses = 32 }, cache.Volume.GetReport(new SecurityDomain(2)));
        Assert.Equal(new DomainReport(1, 0, 16, 0), cache.Volume.GetReport(new SecurityDomain(1)));
        Assert.Equal(default, cache.Volume.GetReport());
        Assert.Equal(default, cache.Volume.GetReport(new SecurityDomain(3)));
    }

    [Fact]
    [Trait("Row", "A7")]
    [Trait("Contract", "C11")]
    public void Failures_are_counted_for_the_domain_that_is_told()
    {
        using var cache = new TestCache();
        var extents = new Extent(0, 65536, 0);
        var one = cache.Open(new ListExtents(extents), 65536, Tenant1);
        var two = cache.Open(new ListExtents(extents), 65536, Tenant2);
        cache.Device.Break(3);
        Assert.Throws<PageLoadException>(() => one.ReadAt(3 * 4096, 1));
        cache.Device.Heal();
        two.ReadAt(3 * 4096, 1);
        Assert.Equal((1, 0), (cache.Volume.GetReport(one.Domain).LoadFailures, cache.Volume.GetReport(two.Domain).LoadFailures));
    }

    [Fact]
    [Trait("Row", "A7")]
    [Trait("Row", "C5")]
    public void The_reverse_query_of_a_domain_names_its_own_files_and_their_own_use()
    {
        using var cache = new TestCache();
        var extents = new Extent(0, 65536, 0);
        var one = cache.Open(new ListExtents(extents), 65536, new FileOpenOptions { Domain = new SecurityDomain(1), Name = "one" });
        var two = cache.Open(new ListExtents(extents), 65536, new FileOpenOptions { Domain = new SecurityDomain(2), Name = "two" });
        one.ReadAll();
        two.ReadAt(5 * 4096, 1);
        var run = new BlockRun(0, 65536);
        Assert.Equal(32, cache.Volume.FindReferences(run).Count());
        var places = cache.Volume.FindReferences(run, two.Domain).ToList();
        Assert.All(places, static place => Assert.Equal("two", place.Name));
        Assert.Equal(16, places.Count);
        Assert.Equal([5 * 4096L], places.Where(static place => place.IsResident).Select(static place => place.Offset));
        Assert.Empty(cache.Volume.FindReferences(run, new SecurityDomain(3)));
        Assert.Throws<ArgumentException>(() => cache.Volume.FindReferences(new BlockRun(-4096, 4096), two.Domain));
    }

    [Fact]
    [Trait("Row", "A7")]
    public void Numbers_of_domains_end_at_32767()
    {
        Assert.Equal(32_767, new SecurityDomain(SecurityDomain.MaxValue).Value);
        var message = Assert.Throws<ArgumentOutOfRangeException>(() => new SecurityDomain(32_768)).Message;
        Assert.Contains("32767", message);
        Assert.Contains("32768", message);
    }

    /// <summary>Reads a file; the memory of its first pages comes zeroed to the device. Counts these.</summary>
    private static int SeenZeroed(MemoryDevice device, MappedFile file)
    {
        var seen = 0;
        device.Inspect = (_, buffers) =>
        {
            foreach (var buffer in buffers.Take(Math.Max(0, 4 - seen)))
            {
                seen++;
                Assert.Equal(-1, buffer.Span.IndexOfAnyExcept((byte)0));
            }
        };
        file.ReadAll();
        device.Inspect = null;
        return seen;
    }
}
