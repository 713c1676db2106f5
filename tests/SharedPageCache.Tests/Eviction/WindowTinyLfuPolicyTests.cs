using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

/// <summary>What W-TinyLFU promises beyond what every policy does: frequency where it helps, recency where that does.</summary>
public sealed class WindowTinyLfuPolicyTests : EvictionPolicyTests
{
    private protected override IEvictionPolicy Create(FrameTable frames, int capacityFrames) =>
        new WindowTinyLfuPolicy(frames, capacityFrames);

    [Theory]
    [InlineData(1000, 1100)]
    [InlineData(1000, 2000)]
    [InlineData(100, 400)]
    public void A_loop_that_does_not_fit_hits_on_most_of_what_fits(int frames, int loop)
    {
        var cache = new SmallCache(frames, Create);
        var hits = 0;
        for (var i = 0; i < loop * 30; i++)
        {
            hits += cache.Read(i % loop) ? 1 : 0;
        }

        Assert.InRange(hits, loop * 30L * frames / loop * 6 / 10, loop * 30L);
    }

    [Fact]
    public void A_scan_leaves_what_is_asked_for_meanwhile()
    {
        var cache = new SmallCache(1000, Create);
        for (var round = 0; round < 20; round++)
        {
            cache.ReadAll(Enumerable.Range(0, 800));
        }

        var random = new Random(1);
        var hits = 0;
        for (var i = 0; i < 100_000; i++)
        {
            cache.Read(10_000 + i);
            hits += i % 10 == 0 && cache.Read(random.Next(800)) ? 1 : 0;
        }

        // LRU has none: between two uses of a page come 8,000 others.
        Assert.InRange(hits, 6_000, 10_000);
    }

    /// <summary>Each page is asked for twice, a quarter of the cache apart, and never again: only recency helps.</summary>
    [Fact]
    public void Where_only_recency_helps_the_window_grows()
    {
        const int Frames = 2000;
        var cache = new SmallCache(Frames, Create);
        var hits = 0;
        for (var i = 0; i < 100 * Frames; i++)
        {
            cache.Read(i);
            hits += i >= Frames / 4 && cache.Read(i - Frames / 4) && i >= 50 * Frames ? 1 : 0;
        }

        Assert.True(hits >= 45 * Frames, $"{hits} hits; {cache.Policy}");
    }

    [Fact]
    public void A_page_that_keeps_coming_back_gets_in()
    {
        var cache = new SmallCache(100, Create);
        for (var round = 0; round < 5; round++)
        {
            cache.ReadAll(Enumerable.Range(0, 95));
        }

        for (var i = 0; i < 40; i++)
        {
            cache.Read(7777);
            cache.ReadAll(Enumerable.Range(100_000 + i * 50, 50));
        }

        Assert.True(cache.Holds(7777));
    }

    [Fact]
    public void When_the_popular_pages_change_the_new_ones_get_in()
    {
        var cache = new SmallCache(500, Create);
        var random = new Random(3);
        var hits = 0;
        for (var phase = 0; phase < 6; phase++)
        {
            for (var i = 0; i < 50_000; i++)
            {
                var hit = cache.Read(phase * 100_000 + random.Next(450));
                hits += i >= 25_000 && hit ? 1 : 0;
            }
        }

        Assert.InRange(hits, 6 * 24_000, 6 * 25_000);
    }
}
