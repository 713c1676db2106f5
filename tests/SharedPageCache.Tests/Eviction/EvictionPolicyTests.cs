using SharedPageCache.Eviction;
using SharedPageCache.Frames;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Eviction;

/// <summary>What every eviction policy promises to the reclaimer. A subclass names the policy.</summary>
public abstract class EvictionPolicyTests
{
    private protected abstract IEvictionPolicy Create(FrameTable frames, int capacityFrames);

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void A_capacity_of_no_frames_is_refused(int capacityFrames) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Create(new FrameTable(1), capacityFrames));

    [Fact]
    public void An_empty_policy_offers_nothing()
    {
        IEvictionPolicy policy = Create(new FrameTable(4), 4);
        Assert.Equal(-1, policy.PickVictim());
        Assert.Equal(-1, policy.PickVictim());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(257)]
    public void Every_frame_is_offered_once_until_it_is_admitted_again(int frameCount)
    {
        IEvictionPolicy policy = Create(new FrameTable(frameCount), frameCount);
        for (int round = 0; round < 3; round++)
        {
            for (int frame = 0; frame < frameCount; frame++)
            {
                policy.Admit(frame, SmallCache.HashOf(frame));
            }

            HashSet<int> offered = [];
            for (int i = 0; i < frameCount; i++)
            {
                int frame = policy.PickVictim();
                Assert.InRange(frame, 0, frameCount - 1);
                Assert.True(offered.Add(frame), $"frame {frame} was offered twice in round {round}");
                policy.Evicted(frame, SmallCache.HashOf(frame));
            }

            Assert.Equal(-1, policy.PickVictim());
        }
    }

    [Fact]
    public void A_frame_that_is_used_all_the_time_outlives_those_that_are_not()
    {
        SmallCache cache = new(20, Create);
        for (int page = 0; page < 1000; page++)
        {
            cache.Read(page);
            cache.Read(7_000_000);
            cache.Read(7_000_000);
        }

        Assert.DoesNotContain(7_000_000, cache.Evicted);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(64)]
    public void A_frame_that_was_put_back_is_not_offered_at_once(int frameCount)
    {
        FrameTable frames = new(frameCount);
        IEvictionPolicy policy = Create(frames, frameCount);
        AdmitAll(policy, frameCount);
        int last = -1;
        for (int i = 0; i < 10 * frameCount; i++)
        {
            int frame = policy.PickVictim();
            Assert.NotEqual(last, frame);
            policy.PutBack(frame);
            last = frame;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(100)]
    public void When_all_are_put_back_each_is_offered_within_two_rounds(int frameCount)
    {
        IEvictionPolicy policy = Create(new FrameTable(frameCount), frameCount);
        AdmitAll(policy, frameCount);
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

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(100)]
    public void Spared_frames_stay_in_and_are_offered_again(int frameCount)
    {
        IEvictionPolicy policy = Create(new FrameTable(frameCount), frameCount);
        AdmitAll(policy, frameCount);
        for (int i = 0; i < 5 * frameCount; i++)
        {
            policy.Spare(policy.PickVictim());
        }

        HashSet<int> offered = [];
        for (int i = 0; i < frameCount; i++)
        {
            int frame = policy.PickVictim();
            Assert.True(offered.Add(frame), $"frame {frame} was offered twice");
            policy.Evicted(frame, SmallCache.HashOf(frame));
        }

        Assert.DoesNotContain(-1, offered);
        Assert.Equal(-1, policy.PickVictim());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(100)]
    public void When_all_counts_are_saturated_a_pick_still_ends(int frameCount)
    {
        FrameTable frames = new(frameCount);
        IEvictionPolicy policy = Create(frames, frameCount);
        AdmitAll(policy, frameCount);
        for (int i = 0; i < 3 * frameCount; i++)
        {
            Saturate(frames);
            int frame = policy.PickVictim();
            Assert.InRange(frame, 0, frameCount - 1);
            policy.PutBack(frame);
        }
    }

    [Fact]
    public void A_pick_ends_while_hits_keep_raising_the_counts()
    {
        // So many frames that the hits are round before the hand is, so many threads that some always run: the hand
        // hardly ever meets an unused frame.
        FrameTable frames = new(2000);
        IEvictionPolicy policy = Create(frames, frames.Count);
        AdmitAll(policy, frames.Count);
        using CancellationTokenSource done = new();
        Thread[] hits = [.. Enumerable.Range(0, 2 * Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            while (!done.IsCancellationRequested)
            {
                Saturate(frames);
            }
        }))];
        Thread picks = new(() => Churn(policy, 500));
        Array.ForEach(hits, thread => thread.Start());
        picks.Start();
        bool ended = picks.Join(TimeSpan.FromSeconds(60));
        done.Cancel();
        Array.ForEach(hits, thread => thread.Join());
        picks.Join();
        Assert.True(ended);
    }

    [Fact]
    public void Removing_a_frame_that_is_not_in_changes_nothing()
    {
        FrameTable frames = new(4);
        IEvictionPolicy policy = Create(frames, 4);
        policy.Remove(0);
        policy.Admit(0, 1);
        policy.Remove(0);
        policy.Remove(0);
        Assert.Equal(-1, policy.PickVictim());

        policy.Admit(1, 1);
        Assert.Equal(1, policy.PickVictim());
        policy.Remove(1);
        Assert.Equal(-1, policy.PickVictim());
        policy.PutBack(1);
        Assert.Equal(1, policy.PickVictim());
        policy.Evicted(1, 1);
        policy.Remove(1);
        Assert.Equal(-1, policy.PickVictim());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_frame_can_be_removed_from_any_place(int place)
    {
        for (int uses = 0; uses <= FrameTable.MaxUse; uses++)
        {
            SmallCache cache = new(12, Create);
            cache.ReadAll(Enumerable.Range(0, 40));
            int page = cache.Pages.Order().ElementAt(place * 11 / 3);
            for (int use = 0; use < uses; use++)
            {
                cache.Read(page);
            }

            cache.Discard(page);
            List<int> rest = cache.Drain();
            Assert.Equal(11, rest.Distinct().Count());
            Assert.Equal(11, rest.Count);
            Assert.DoesNotContain(page, rest);
        }
    }

    [Fact]
    public void A_picked_frame_that_never_comes_back_may_be_admitted_anew()
    {
        IEvictionPolicy policy = Create(new FrameTable(2), 2);
        AdmitAll(policy, 2);
        int lost = policy.PickVictim();
        int other = policy.PickVictim();
        Assert.Equal(-1, policy.PickVictim());
        policy.PutBack(other);
        policy.Admit(lost, SmallCache.HashOf(9));
        Assert.Equal([0, 1], new[] { policy.PickVictim(), policy.PickVictim() }.Order());
    }

    [Fact]
    public void One_evictable_frame_is_found_among_pinned_ones_wherever_it_stands()
    {
        for (int evictable = 0; evictable < 30; evictable++)
        {
            SmallCache cache = new(30, Create);
            cache.ReadAll(Enumerable.Range(0, 30));
            cache.ReadAll(Enumerable.Range(100, 60));
            cache.ReadAll(Enumerable.Range(100, 60));
            List<int> pages = [.. cache.Pages.Order()];
            foreach (int page in pages)
            {
                if (page != pages[evictable])
                {
                    cache.Pin(page);
                }
            }

            cache.Read(5000);
            Assert.Equal(pages[evictable], cache.Evicted[^1]);
        }
    }

    [Fact]
    public void Nothing_is_allocated_after_construction()
    {
        FrameTable frames = new(100);
        IEvictionPolicy policy = Create(frames, 100);
        AdmitAll(policy, 100);
        Churn(policy, 1000);
        Assert.Equal(0, Allocations.Of(() => Churn(policy, 10_000)));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(7, 3)]
    [InlineData(40, 4)]
    [InlineData(301, 5)]
    public void Random_operations_lose_no_frame_and_offer_none_twice(int frameCount, int seed)
    {
        Random random = new(seed);
        FrameTable frames = new(frameCount);
        IEvictionPolicy policy = Create(frames, frameCount);
        HashSet<int> inside = [];
        HashSet<int> picked = [];
        for (int step = 0; step < 20_000; step++)
        {
            string at = $"seed {seed}, step {step}";
            int frame = random.Next(frameCount);
            switch (random.Next(6))
            {
                case 0 or 1 when !inside.Contains(frame) && !picked.Contains(frame):
                    frames[frame].Use = 0;
                    policy.Admit(frame, (ulong)random.Next(3) * SmallCache.HashOf(random.Next(3 * frameCount)));
                    inside.Add(frame);
                    break;
                case 2:
                    frame = policy.PickVictim();
                    Assert.True(inside.Count == 0 ? frame == -1 : inside.Remove(frame), $"{at}: offered {frame}");
                    if (frame >= 0)
                    {
                        picked.Add(frame);
                    }

                    break;
                case 3 when picked.Count > 0:
                    frame = picked.ElementAt(random.Next(picked.Count));
                    picked.Remove(frame);
                    if (random.Next(4) == 0)
                    {
                        policy.Spare(frame);
                        inside.Add(frame);
                    }
                    else if (random.Next(2) == 0)
                    {
                        policy.PutBack(frame);
                        inside.Add(frame);
                    }
                    else
                    {
                        policy.Evicted(frame, SmallCache.HashOf(random.Next(3 * frameCount)));
                    }

                    break;
                case 4 when random.Next(3) == 0:
                    policy.Remove(frame);
                    inside.Remove(frame);
                    break;
                default:
                    frames[frame].Use = (byte)random.Next(FrameTable.MaxUse + 1);
                    break;
            }
        }

        foreach (int _ in inside.ToArray())
        {
            Assert.True(inside.Remove(policy.PickVictim()), $"seed {seed}, at the end");
        }

        Assert.Equal(-1, policy.PickVictim());
    }

    [Fact]
    public void Each_miss_among_many_used_frames_takes_one_victim()
    {
        // What a pick costs there is a figure of the benchmarks, beside that of a small cache.
        const int Frames = 100_000;
        SmallCache cache = new(Frames, Create);
        Random random = new(11);
        int misses = 0;
        for (int page = 0; page < 300_000; page++)
        {
            misses += cache.Read(page) ? 0 : 1;
            misses += cache.Read(Math.Max(0, page - random.Next(50_000))) ? 0 : 1;
        }

        Assert.Equal(misses - Frames, cache.Evicted.Count);
        Assert.Equal(Frames, cache.Pages.Count);
    }

    private protected static void AdmitAll(IEvictionPolicy policy, int frameCount)
    {
        for (int frame = 0; frame < frameCount; frame++)
        {
            policy.Admit(frame, SmallCache.HashOf(frame));
        }
    }

    private static void Saturate(FrameTable frames)
    {
        for (int frame = 0; frame < frames.Count; frame++)
        {
            frames[frame].Use = FrameTable.MaxUse;
        }
    }

    private static void Churn(IEvictionPolicy policy, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            int frame = policy.PickVictim();
            if (i % 4 == 0)
            {
                policy.PutBack(frame);
            }
            else
            {
                policy.Evicted(frame, SmallCache.HashOf(i));
                policy.Admit(frame, SmallCache.HashOf(i - (i % 50)));
            }
        }
    }
}
