using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

/// <summary>What LRU promises beyond what every policy does: the order of last use, as far as it was told.</summary>
public sealed class LruPolicyTests : EvictionPolicyTests
{
    private protected override IEvictionPolicy Create(FrameTable frames, int capacityFrames) => new LruPolicy(frames, capacityFrames);

    [Fact]
    public void Pages_go_in_the_order_of_their_last_use()
    {
        var cache = new SmallCache(4, Create);
        cache.ReadAll([1, 2, 3, 4, 1, 5, 3, 6]);
        Assert.Equal([2, 4], cache.Evicted);
        Assert.Equal([1, 5, 3, 6], cache.Drain());
    }

    [Fact]
    public void A_use_that_nobody_told_of_saves_a_page_once()
    {
        var cache = new SmallCache(3, Create);
        cache.ReadAll([1, 2, 3]);
        cache.Frames[cache.FrameOf(1)].Use++;
        cache.Read(4);
        Assert.Equal([2], cache.Evicted);
        Assert.Equal([3, 1, 4], cache.Drain());
    }

    [Fact]
    public void A_hit_that_is_told_late_moves_nothing_that_is_gone()
    {
        var cache = new SmallCache(3, Create);
        cache.ReadAll([1, 2, 3, 2]);
        cache.Discard(2);
        cache.ReadAll([4, 5]);
        Assert.Equal([1], cache.Evicted);
        Assert.Equal([3, 4, 5], cache.Drain());
    }

    [Fact]
    public void More_hits_than_the_buffers_hold_still_count()
    {
        // 400 hits between two misses, and buffers of 62: most are known by the use counts alone.
        const int Frames = 500;
        var cache = new SmallCache(Frames, Create);
        cache.ReadAll(Enumerable.Range(0, Frames));
        for (var fresh = 0; fresh < 90; fresh++)
        {
            cache.ReadAll(Enumerable.Range(0, 400));
            cache.Read(1_000_000 + fresh);
        }

        Assert.Equal(90, cache.Evicted.Count);
        Assert.All(cache.Evicted, page => Assert.InRange(page, 400, Frames));
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(7, 2)]
    [InlineData(100, 3)]
    public void With_a_miss_after_each_hit_it_agrees_with_a_list(int frameCount, int seed)
    {
        var random = new Random(seed);
        var cache = new SmallCache(frameCount, Create);
        var model = new List<int>();
        var fresh = 1_000_000;
        for (var step = 0; step < 20_000; step++)
        {
            var page = random.Next(2 * frameCount);
            if (Read(page))
            {
                Read(fresh++);
            }
        }

        Assert.Equal(model, cache.Drain());

        bool Read(int page)
        {
            var isHit = model.Remove(page);
            if (!isHit && model.Count == frameCount)
            {
                model.RemoveAt(0);
            }

            model.Add(page);
            Assert.True(isHit == cache.Read(page), $"seed {seed}: page {page}, a hit is {isHit}");
            return isHit;
        }
    }

    [Fact]
    public void On_skewed_popularity_it_hits_as_often_as_a_list()
    {
        const int Frames = 200;
        var random = new Random(17);
        var cache = new SmallCache(Frames, Create);
        var order = new LinkedList<int>();
        var places = new Dictionary<int, LinkedListNode<int>>();
        var (hits, expected) = (0, 0);
        const int Requests = 200_000;
        for (var i = 0; i < Requests; i++)
        {
            // Log-uniform: the hundred most popular of 10,000 pages have half of the requests.
            var page = (int)Math.Pow(10_000, random.NextDouble());
            hits += cache.Read(page) ? 1 : 0;
            if (places.TryGetValue(page, out var place))
            {
                expected++;
                order.Remove(place);
            }
            else if (places.Count == Frames)
            {
                places.Remove(order.First!.Value);
                order.RemoveFirst();
            }

            places[page] = order.AddLast(page);
        }

        Assert.InRange(hits, expected - Requests / 200, expected + Requests / 200);
    }
}
