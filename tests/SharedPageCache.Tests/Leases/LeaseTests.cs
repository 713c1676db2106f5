using System.Buffers;
using System.Runtime.InteropServices;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Leases;

/// <summary>A lease is a snapshot: its bytes neither change nor go away until it is disposed, whatever happens meanwhile.</summary>
public class LeaseTests
{
    private const int Length = 16 * 4096;

    public static TheoryData<string> Mishaps =>
        ["discard", "relocate", "invalidate", "evictions", "close", "detach", "dispose", "discard all, then evictions"];

    [Theory]
    [Trait("Contract", "C4")]
    [Trait("Row", "H1")]
    [Trait("Row", "L14")]
    [MemberData(nameof(Mishaps))]
    public async Task The_bytes_of_a_lease_survive(string mishap)
    {
        using var cache = new TestCache(frames: 16);
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var expected = cache.Device.Copy(4096, 3 * 4096);
        var page = await file.PinAsync(4096);
        var range = await file.PinRangeAsync(8192, 8192);
        Pin(file, expected, page, range, mishap, cache, extents);
        Files.AssertSame(expected.AsSpan(0, 4096), page.Memory.Span);
        Files.AssertSame(expected.AsSpan(4096), range.Sequence.ToArray());
        page.Dispose();
        range.Dispose();
    }

    [Fact]
    [Trait("Row", "H1")]
    public async Task A_lease_shows_the_page_from_the_offset_on_and_ends_with_the_page_or_the_file()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, Length, 0)), Length - 100);
        using (var inside = await file.PinAsync(4096 + 10))
        {
            Files.AssertSame(cache.Device.Copy(4096 + 10, 4086), inside.Memory.Span);
            Assert.Equal(4086, inside.Length);
        }

        using (var last = await file.PinAsync(Length - 4096))
        {
            Assert.Equal(3996, last.Length);
        }

        Assert.True(file.TryPin(4096 + 10, out var lease));
        Files.AssertSame(cache.Device.Copy(4096 + 10, 4086), lease.Span);
        lease.Dispose();
    }

    [Fact]
    [Trait("Row", "H1")]
    public async Task A_range_is_one_sequence_over_the_caches_own_pages()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        using var range = await file.PinRangeAsync(1000, 3 * 4096);
        Files.AssertSame(cache.Device.Copy(1000, 3 * 4096), range.Sequence.ToArray());
        var segments = 0;
        foreach (var segment in range.Sequence)
        {
            Assert.False(MemoryMarshal.TryGetArray(segment, out _));
            segments++;
        }

        Assert.Equal(4, segments);
        using var single = await file.PinRangeAsync(4096, 100);
        Assert.True(single.Sequence.IsSingleSegment);
        using var nothing = await file.PinRangeAsync(4096, 0);
        Assert.True(nothing.Sequence.IsEmpty);
        using var clipped = await file.PinRangeAsync(Length - 10, long.MaxValue);
        Assert.Equal(10, clipped.Sequence.Length);
    }

    [Fact]
    [Trait("Row", "H1")]
    [Trait("Row", "A10")]
    public async Task A_range_over_holes_and_pages_is_leased_in_one()
    {
        using var cache = new TestCache();
        var file = cache.Open(new Extent(0, 4096, 0), new Extent(12288, 4096, 65536));
        using var range = await file.PinRangeAsync(0, 16384);
        Files.AssertSame([.. cache.Device.Copy(0, 4096), .. new byte[8192], .. cache.Device.Copy(65536, 4096)], range.Sequence.ToArray());
        Assert.Equal(2, cache.Figures.LeasedFrames);
    }

    [Fact]
    [Trait("Row", "H1")]
    [Trait("Contract", "C1")]
    public async Task Leases_of_one_page_are_one_frame_and_each_is_given_back()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        var leases = new List<PageMemoryLease>();
        for (var i = 0; i < 1000; i++)
        {
            leases.Add(await (i % 2 == 0 ? file : clone).PinAsync(0));
        }

        Assert.Equal(1, cache.Figures.LeasedFrames);
        Assert.Equal(1, cache.ResidentPages);
        leases.ForEach(lease => lease.Dispose());
        cache.EvictAll();
        Assert.Equal(0, cache.ResidentPages);
    }

    [Fact]
    [Trait("Contract", "C4")]
    [Trait("Row", "D4")]
    public async Task A_leased_page_is_never_evicted_and_its_file_still_hits_it()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        using var lease = await file.PinAsync(0);
        var scan = cache.OpenRun(1 << 20, 1 << 20);
        scan.ReadAll();
        scan.ReadAll();
        Assert.True(file.IsResident(0));
        Assert.Equal(lease.Frame, file.FrameAt(0));
    }

    /// <summary>Holds a stack lease too, over everything that happens.</summary>
    private static void Pin(
        MappedFile file, byte[] expected, PageMemoryLease page, PageRangeLease range, string mishap, TestCache cache, ListExtents extents)
    {
        Assert.True(file.TryPin(4096, out var lease));
        Happen(mishap, cache, file, extents);
        Files.AssertSame(expected.AsSpan(0, 4096), lease.Span);
        Files.AssertSame(expected.AsSpan(0, 4096), page.Memory.Span);
        Files.AssertSame(expected.AsSpan(4096), range.Sequence.ToArray());
        lease.Dispose();
    }

    private static void Happen(string mishap, TestCache cache, MappedFile file, ListExtents extents)
    {
        cache.Device.Stamp(version: 5);
        switch (mishap)
        {
            case "discard":
                cache.Volume.Discard(new BlockRun(0, Length));
                Files.AssertSame(cache.Device.Copy(0, Length), file.ReadAll());
                break;
            case "relocate":
                cache.Volume.Relocate(new BlockRun(0, Length), new BlockRun(1 << 20, Length));
                extents.Replace(new Extent(0, Length, 1 << 20));
                cache.Volume.Discard(new BlockRun(0, Length));
                file.ReadAll();
                break;
            case "invalidate":
                extents.Replace(new Extent(0, Length, 1 << 20));
                file.InvalidateExtents(0, Length);
                Files.AssertSame(cache.Device.Copy(1 << 20, Length), file.ReadAll());
                break;
            case "evictions":
                cache.OpenRun(1 << 20, 1 << 20).ReadAll();
                cache.EvictAll();
                break;
            case "close":
                file.Dispose();
                cache.EvictAll();
                break;
            case "detach":
                cache.Volume.Dispose();
                break;
            case "dispose":
                cache.Cache.Dispose();
                break;
            default:
                cache.Volume.Discard(new BlockRun(0, cache.Device.Length));
                for (var round = 0; round < 3; round++)
                {
                    cache.OpenRun(1 << 20, 1 << 20).ReadAll();
                    cache.EvictAll();
                }

                break;
        }
    }
}
