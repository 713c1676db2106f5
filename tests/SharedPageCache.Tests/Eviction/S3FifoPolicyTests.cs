using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

public sealed class S3FifoPolicyTests : EvictionPolicyTests
{
    private const int Newcomer = 99_000;

    private protected override IEvictionPolicy Create(FrameTable frames, int capacityFrames) =>
        new S3FifoPolicy(frames, capacityFrames);

    [Fact]
    public void Newcomers_that_nobody_uses_go_in_the_order_of_their_coming()
    {
        SmallCache cache = new(10, Create);
        cache.ReadAll(Enumerable.Range(0, 15));
        Assert.Equal(Enumerable.Range(0, 5), cache.Evicted);
    }

    [Fact]
    public void One_use_on_probation_is_not_enough()
    {
        SmallCache cache = new(10, Create);
        cache.ReadAll([.. Enumerable.Range(0, 10), 0]);
        cache.Read(10);
        Assert.Equal([0], cache.Evicted);
    }

    [Fact]
    public void Two_uses_on_probation_lead_to_the_main_queue()
    {
        SmallCache cache = new(10, Create);
        cache.ReadAll([.. Enumerable.Range(0, 10), 0, 0]);
        cache.ReadAll(Enumerable.Range(100, 50));
        Assert.True(cache.Holds(0));
        Assert.Equal(0, cache.Drain()[^1]);
    }

    [Fact]
    public void The_uses_that_promoted_a_frame_are_spent()
    {
        SmallCache cache = new(10, Create);
        cache.ReadAll([.. Enumerable.Range(0, 10), 0, 0, 0]);
        cache.Read(10);
        Assert.Equal(0, cache.Frames[cache.FrameOf(0)].Use);
    }

    [Fact]
    public void Who_comes_back_soon_after_eviction_goes_to_the_main_queue()
    {
        SmallCache cache = new(10, Create);
        cache.ReadAll(Enumerable.Range(0, 12));
        Assert.Equal([0, 1], cache.Evicted);
        cache.Read(0);
        cache.ReadAll(Enumerable.Range(100, 50));
        Assert.True(cache.Holds(0));
        Assert.False(cache.Holds(1));
    }

    [Fact]
    public void A_ghost_is_good_for_one_return()
    {
        SmallCache cache = new(10, Create);
        cache.ReadAll(Enumerable.Range(0, 11));
        cache.Read(0);
        cache.Discard(0);
        cache.Read(0);
        cache.ReadAll(Enumerable.Range(100, 50));
        Assert.False(cache.Holds(0));
    }

    [Fact]
    public void A_page_without_identity_has_no_ghost()
    {
        SmallCache cache = new(10, Create);
        for (int page = 0; page < 12; page++)
        {
            cache.Read(page, hasIdentity: false);
        }

        cache.Read(0, hasIdentity: false);
        cache.ReadAll(Enumerable.Range(100, 20));
        Assert.False(cache.Holds(0));
    }

    [Fact]
    public void There_are_as_many_ghosts_as_the_main_queue_holds()
    {
        // Of a capacity of 10 the main queue has 9. Pages 0 to 19 are evicted, so 11 to 19 have ghosts.
        SmallCache forgotten = new(10, Create);
        forgotten.ReadAll(Enumerable.Range(0, 30));
        Assert.Equal(20, forgotten.Evicted.Count);
        forgotten.Read(10);
        forgotten.ReadAll(Enumerable.Range(100, 30));
        Assert.False(forgotten.Holds(10));

        // Reading 12 evicts 20, and the ghost of 11 makes room for the ghost of 20.
        SmallCache known = new(10, Create);
        known.ReadAll(Enumerable.Range(0, 30));
        known.Read(12);
        known.ReadAll(Enumerable.Range(100, 30));
        Assert.True(known.Holds(12));
    }

    [Fact]
    public void The_main_queue_lowers_a_count_by_one_and_evicts_at_none()
    {
        SmallCache cache = WithFullMain(10);
        cache.ReadAll([1, 1, 2, Newcomer, Newcomer]);

        // The newcomer is promoted, nobody is left on probation: the main queue gives. 1 and 2 are used, 3 is not.
        cache.Read(50);
        Assert.Equal(3, cache.Evicted[^1]);
        Assert.Equal(1, cache.Frames[cache.FrameOf(1)].Use);
        Assert.Equal(0, cache.Frames[cache.FrameOf(2)].Use);
        Assert.Equal([50, 4, 5, 6, 7, 8, 9, Newcomer, 2, 1], cache.Drain());
    }

    [Fact]
    public void A_pick_passes_each_main_frame_three_times_at_most()
    {
        // Counts beyond the saturation stand for hits that come while the pick goes on.
        SmallCache cache = WithFullMain(30);
        foreach (int page in cache.Pages)
        {
            cache.Frames[cache.FrameOf(page)].Use = 200;
        }

        int oldest = cache.FrameOf(1);
        Assert.Equal(oldest, cache.Policy.PickVictim());
        Assert.All(
            cache.Pages.Where(page => page != Newcomer),
            page => Assert.Equal(200 - FrameTable.MaxUse, cache.Frames[cache.FrameOf(page)].Use));
    }

    [Fact]
    public void Who_leaves_the_main_queue_leaves_no_ghost()
    {
        SmallCache cache = WithFullMain(10);
        cache.ReadAll([Newcomer, Newcomer, 50]);
        Assert.Equal(1, cache.Evicted[^1]);
        cache.Read(1);
        cache.ReadAll(Enumerable.Range(100, 30));
        Assert.False(cache.Holds(1));
    }

    [Fact]
    public void A_scan_of_a_hundred_times_the_capacity_leaves_the_working_set()
    {
        SmallCache cache = new(100, Create);
        for (int round = 0; round < 3; round++)
        {
            cache.ReadAll(Enumerable.Range(0, 80));
        }

        cache.ReadAll(Enumerable.Range(1000, 10_000));
        Assert.All(Enumerable.Range(0, 80), page => Assert.True(cache.Holds(page), $"page {page}"));
    }

    [Fact]
    public void A_pinned_main_queue_does_not_hide_the_small_one()
    {
        // Of a capacity of 40 the main queue has 36, but 39 are in it.
        SmallCache cache = WithFullMain(40);
        foreach (int page in Enumerable.Range(1, 39))
        {
            cache.Pin(page);
        }

        cache.ReadAll([501, 502, 503]);
        Assert.Equal([Newcomer, 501, 502], cache.Evicted[^3..]);
    }

    [Fact]
    public void A_pinned_small_queue_does_not_hide_the_main_one()
    {
        SmallCache cache = WithFullMain(10);
        cache.Pin(Newcomer);
        cache.Read(50);
        Assert.Equal(1, cache.Evicted[^1]);
        Assert.True(cache.Holds(Newcomer));
    }

    [Fact]
    public void Some_pinned_newcomers_cost_the_main_queue_nothing()
    {
        SmallCache cache = WithFullMain(200);
        cache.ReadAll(Enumerable.Range(1000, 200));
        int[] main = [.. cache.Pages.Where(page => page < 200)];
        Assert.Equal(180, main.Length);
        foreach (int page in cache.Pages.Where(page => page >= 1000 && page % 2 == 0).ToArray())
        {
            cache.Pin(page);
        }

        cache.ReadAll(Enumerable.Range(2000, 5000));
        Assert.All(main, page => Assert.True(cache.Holds(page), $"page {page}"));
    }

    [Fact]
    public void A_frame_that_was_put_back_keeps_its_standing()
    {
        SmallCache cache = WithFullMain(30);
        cache.ReadAll([50, 51, 52, 53]);
        cache.Pin(51);
        cache.Read(54);
        cache.Unpin(51);
        cache.ReadAll(Enumerable.Range(100, 10));
        Assert.False(cache.Holds(51));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 17)]
    [InlineData(8, 17)]
    [InlineData(15, 17)]
    [InlineData(17, 18)]
    [InlineData(17, 33)]
    [InlineData(20, 20)]
    [InlineData(33, 17)]
    [InlineData(100, 3)]
    public void When_all_of_both_queues_are_put_back_each_is_offered_within_two_rounds(int small, int main)
    {
        int frameCount = small + main;
        FrameTable frames = new(frameCount);
        IEvictionPolicy policy = Create(frames, frameCount);
        for (int frame = 0; frame < main; frame++)
        {
            policy.Admit(frame, identityHash: 0);
            frames[frame].Use = 2;
        }

        // The first pick promotes all of them.
        policy.PutBack(policy.PickVictim());
        for (int frame = main; frame < frameCount; frame++)
        {
            policy.Admit(frame, identityHash: 0);
        }

        for (int round = 0; round < 5; round++)
        {
            HashSet<int> offered = [];
            for (int i = 0; i < 2 * frameCount; i++)
            {
                int frame = policy.PickVictim();
                offered.Add(frame);
                policy.PutBack(frame);
            }

            Assert.Equal(frameCount, offered.Count);
        }
    }

    [Fact]
    public void Ghosts_cost_less_than_six_bytes_a_frame()
    {
        const int frameCount = 100_000;
        long bytes = Create(new FrameTable(frameCount), frameCount).MetadataBytes;
        Assert.InRange(bytes, 4L * frameCount * 9 / 10, 6L * frameCount);
    }

    [Theory]
    [InlineData(1, 201)]
    [InlineData(2, 202)]
    [InlineData(5, 203)]
    [InlineData(10, 204)]
    [InlineData(11, 205)]
    public void Random_operations_agree_with_lists(int frameCount, int seed) =>
        CompareWithLists(frameCount, seed, withGhosts: true);

    [Theory]
    [InlineData(30, 206)]
    [InlineData(200, 207)]
    public void Random_operations_without_identities_agree_with_lists(int frameCount, int seed) =>
        CompareWithLists(frameCount, seed, withGhosts: false);

    /// <summary>
    /// A full cache: pages 1 to <paramref name="capacity"/> - 1 unused in the main queue, in this order, and one
    /// newcomer on probation.
    /// </summary>
    private SmallCache WithFullMain(int capacity)
    {
        SmallCache cache = new(capacity, Create);
        for (int page = 0; page < capacity; page++)
        {
            cache.ReadAll([page, page, page]);
        }

        cache.Read(Newcomer);
        Assert.Equal([0], cache.Evicted);
        return cache;
    }

    private void CompareWithLists(int frameCount, int seed, bool withGhosts)
    {
        Random random = new(seed);
        FrameTable frames = new(frameCount);
        IEvictionPolicy policy = Create(frames, frameCount);
        S3FifoLists lists = new(frames, frameCount);
        for (int step = 0; step < 20_000; step++)
        {
            int frame = random.Next(frameCount);
            ulong hash = withGhosts ? SmallCache.HashOf(random.Next(2 * frameCount)) : 0;
            switch (random.Next(5))
            {
                case 0 or 1 when !lists.Contains(frame):
                    frames[frame].Use = 0;
                    lists.Admit(frame, hash);
                    policy.Admit(frame, hash);
                    break;
                case 2:
                    int expected = lists.PickVictim();
                    int found = policy.PickVictim();
                    Assert.True(expected == found, $"seed {seed}, step {step}: {found} instead of {expected}");
                    Assert.True(lists.UsesAgree(), $"seed {seed}, step {step}: use counts differ");
                    if (found >= 0 && random.Next(3) == 0)
                    {
                        policy.PutBack(found);
                        lists.PutBack(found);
                    }
                    else if (found >= 0)
                    {
                        policy.Evicted(found, hash);
                        lists.Evicted(found, hash);
                    }

                    break;
                case 3 when random.Next(4) == 0:
                    policy.Remove(frame);
                    lists.Remove(frame);
                    break;
                default:
                    frames[frame].Use = (byte)random.Next(FrameTable.MaxUse + 1);
                    break;
            }
        }
    }
}
