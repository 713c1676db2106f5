using SharedPageCache.Eviction;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Hits;

/// <summary>How the number of files that use a page weighs when pages are given up.</summary>
public class SharerWeightTests
{
    private const int Page = 4096;
    private const int Containers = 200;
    private const int Libc = 8;

    public static TheoryData<EvictionPolicy> Policies => [.. Enum.GetValues<EvictionPolicy>()];

    /// <summary>Chinner's libc test: reclaim must not take libc before a page that was read once. Uses alone are enough.</summary>
    [Theory]
    [Trait("Row", "D3")]
    [Trait("Row", "L24")]
    [MemberData(nameof(Policies))]
    public void The_library_outlives_what_each_clone_reads_once(EvictionPolicy policy) =>
        Assert.InRange(LoadsOfTheLibrary(policy, SharerWeight.None, privatePages: 40), Libc, 3 * Libc);

    /// <summary>
    /// The same, hard: 200 clones read the common 5 % of what they read, and each then streams nearly three times through what the cache
    /// holds. No policy sees that libc will be used again: none of its ghosts or counts reaches so far. Its sharers say so.
    /// </summary>
    [Theory]
    [Trait("Row", "D3")]
    [Trait("Row", "L24")]
    [MemberData(nameof(Policies))]
    public void The_library_outlives_scans_longer_than_the_cache_if_sharers_weigh(EvictionPolicy policy)
    {
        Assert.True(LoadsOfTheLibrary(policy, SharerWeight.None, privatePages: 160) >= Containers * Libc / 2);

        // Until eight clones have used it: then it is spared three rounds, which the scan of one container takes.
        Assert.InRange(LoadsOfTheLibrary(policy, SharerWeight.Doublings, privatePages: 160), Libc, 12 * Libc);
    }

    [Fact]
    [Trait("Row", "D3")]
    public void A_page_of_many_is_spared_once_for_each_doubling_after_its_last_use()
    {
        using var cache = new TestCache(frames: 16, policy: EvictionPolicy.Clock, weight: SharerWeight.Doublings);
        var shared = cache.OpenRun(0, Page);
        shared.ReadAll();
        for (var clone = 0; clone < 9; clone++)
        {
            cache.Clone(shared).ReadAll();
        }

        // Ten files at least: three rounds. The hand that finds it used makes one more, and begins the count.
        var stream = cache.OpenRun(1 << 20, 400 * Page);
        Assert.Equal(3, RoundsUntilGone(cache, shared, stream, 0));
        Assert.Equal(3, cache.Figures.PagesSpared);

        shared.ReadAll();
        var frame = shared.FrameAt(0).Value;
        var frames = cache.Cache.Engine.Rooms.Frames;
        for (var page = 0; frames.SparesOf(frame) < 2; page++)
        {
            stream.ReadAt((100 + page) * Page, 8);
        }

        shared.ReadAll();
        for (var page = 0; frames.SparesOf(frame) == 2; page++)
        {
            stream.ReadAt((200 + page) * Page, 8);
        }

        Assert.Equal(0, frames.SparesOf(frame));
        Assert.True(shared.IsResident(0));
    }

    [Fact]
    [Trait("Row", "D3")]
    public void A_page_of_one_file_and_clones_that_have_not_read_it_do_not_count()
    {
        using var cache = new TestCache(frames: 16, policy: EvictionPolicy.Clock, weight: SharerWeight.Doublings);
        var file = cache.OpenRun(0, 4 * Page);
        file.ReadAll();
        file.ReadAll();
        for (var clone = 0; clone < 20; clone++)
        {
            cache.Clone(file);
        }

        cache.OpenRun(1 << 20, 100 * Page).ReadAll();
        Assert.False(file.IsResident(0));
        Assert.Equal(0, cache.Figures.PagesSpared);
    }

    [Theory]
    [Trait("Row", "D3")]
    [InlineData(EvictionPolicy.Clock)]
    [InlineData(EvictionPolicy.S3Fifo)]
    [InlineData(EvictionPolicy.WindowTinyLfu)]
    [InlineData(EvictionPolicy.Lru)]
    [InlineData(EvictionPolicy.Sieve)]
    public void A_cache_full_of_shared_pages_still_gives_one_up_at_each_call(EvictionPolicy policy)
    {
        using var cache = new TestCache(frames: 128, policy: policy, weight: SharerWeight.Doublings);
        var shared = cache.OpenRun(0, 124 * Page);
        shared.ReadAll();
        for (var clone = 0; clone < 8; clone++)
        {
            cache.Clone(shared).ReadAll();
        }

        Assert.Equal(124, cache.ResidentPages);
        var stream = cache.OpenRun(1 << 20, 100 * Page);
        for (var page = 0; page < 100; page++)
        {
            stream.ReadAt(page * Page, 8);
        }

        Assert.Equal(0, cache.Figures.ReadsAround);
        Assert.Equal(100, cache.Figures.Evictions);
        Assert.InRange(cache.Figures.PagesSpared, 1, 100 * 16);
    }

    [Fact]
    [Trait("Row", "D3")]
    public void An_unknown_weight_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new PageCache(new PageCacheOptions { SharerWeight = (SharerWeight)5 }));

    private static long RoundsUntilGone(TestCache cache, MappedFile shared, MappedFile stream, int firstPage)
    {
        var frames = cache.Cache.Engine.Rooms.Frames;
        var frame = shared.FrameAt(0).Value;
        var most = 0;
        for (var page = firstPage; page < firstPage + 90; page++)
        {
            stream.ReadAt(page * Page, 8);
            if (!shared.TryPin(0, out var lease))
            {
                return most;
            }

            lease.Dispose();
            frames[frame].Use = 0;
            most = Math.Max(most, frames.SparesOf(frame));
        }

        throw new InvalidOperationException("The page never goes.");
    }

    private static long LoadsOfTheLibrary(EvictionPolicy policy, SharerWeight weight, int privatePages)
    {
        using var cache = new TestCache(frames: 64, deviceLength: 160L << 20, policy: policy, weight: weight);
        var libc = cache.OpenRun(0, Libc * Page);
        for (var i = 0; i < Containers; i++)
        {
            cache.Clone(libc).ReadAll();
            var own = cache.OpenRun((1 << 20) + ((long)i * privatePages * Page), privatePages * Page);
            for (var page = 0; page < privatePages; page += 4)
            {
                own.ReadAt(page * Page, 4 * Page);
            }
        }

        return cache.Device.BlocksRead - (Containers * privatePages);
    }
}
