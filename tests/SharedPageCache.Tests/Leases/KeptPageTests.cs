using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Leases;

/// <summary>A kept page is a lease like any other, without an object.</summary>
public class KeptPageTests
{
    private const int Length = 16 * 4096;

    [Fact]
    public void A_kept_page_shows_the_page_from_the_offset_on_and_survives_a_discard()
    {
        using var cache = new TestCache(frames: 16);
        var file = cache.Open(new ListExtents(new Extent(0, Length, 0)), Length - 100);
        Assert.False(file.TryKeep(4096 + 10, out _));
        file.ReadWord(4096);
        Assert.True(file.TryKeep(4096 + 10, out var inside));
        file.ReadWord(Length - 4096);
        Assert.True(file.TryKeep(Length - 4096, out var last));
        var expected = cache.Device.Copy(4096 + 10, 4086);
        cache.Volume.Discard(new BlockRun(0, Length));
        cache.EvictAll();
        Files.AssertSame(expected, inside.Span);
        Assert.Equal(3996, last.Span.Length);
        inside.Release();
        last.Release();
    }

    [Fact]
    public void A_page_that_reads_zero_is_kept_without_a_frame()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, 4096, 0)), Length);
        file.ReadWord(8192);
        Assert.True(file.TryKeep(8192 + 96, out var page));
        Assert.Equal(FrameIndex.None, page.Frame);
        Assert.Equal(4000, page.Span.Length);
        Assert.False(page.Span.ContainsAnyExcept((byte)0));
        page.Release();
        Assert.True(default(KeptPage).Span.IsEmpty);
        default(KeptPage).Release();
    }

    [Fact]
    public void Kept_pages_are_leases_they_are_limited_and_make_room_when_they_are_released()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        var kept = new Stack<KeptPage>();
        for (var page = 0; page < cache.Figures.LeaseLimit; page++)
        {
            file.ReadWord(page * 4096);
            Assert.True(file.TryKeep(page * 4096, out var one));
            kept.Push(one);
        }

        file.ReadWord(10 * 4096);
        Assert.False(file.TryKeep(10 * 4096, out _));
        kept.Pop().Release();
        file.ReadWord(10 * 4096);
        Assert.True(file.TryKeep(10 * 4096, out var freed));
        freed.Release();
        while (kept.TryPop(out var one))
        {
            one.Release();
        }
    }

    [Fact]
    public void Keeping_and_releasing_allocates_nothing()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadWord(0);
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (var i = 0; i < 100; i++)
            {
                file.TryKeep(0, out var page);
                page.Release();
            }
        }));
    }

    [Fact]
    public void What_is_no_place_of_an_open_file_is_refused()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.TryKeep(-1, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.TryKeep(Length, out _));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.TryKeep(0, out _));
    }
}
