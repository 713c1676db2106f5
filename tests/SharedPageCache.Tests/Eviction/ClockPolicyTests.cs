using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

public sealed class ClockPolicyTests : EvictionPolicyTests
{
    private protected override IEvictionPolicy Create(FrameTable frames, int capacityFrames) =>
        new ClockPolicy(frames, capacityFrames);

    [Fact]
    public void Unused_frames_go_in_the_order_of_their_coming()
    {
        SmallCache cache = new(4, Create);
        cache.ReadAll([3, 1, 4, 2]);
        Assert.Equal([3, 1, 4, 2], cache.Drain());
    }

    [Fact]
    public void A_used_frame_is_passed_over_once()
    {
        SmallCache cache = new(3, Create);
        cache.ReadAll([1, 2, 3, 1, 2]);
        cache.Read(4);
        Assert.Equal([3], cache.Evicted);

        // The hand has cleared 1 and 2; they are next, in their old order, and 4 comes after them.
        Assert.Equal([1, 2, 4], cache.Drain());
    }

    [Fact]
    public void Many_uses_count_as_one()
    {
        SmallCache cache = new(2, Create);
        cache.ReadAll([1, 2, 1, 1, 1]);
        cache.ReadAll([3, 4]);
        Assert.Equal([2, 1], cache.Evicted);
    }

    [Fact]
    public void When_all_are_used_the_hand_goes_round_once_and_takes_the_oldest()
    {
        SmallCache cache = new(3, Create);
        cache.ReadAll([1, 2, 3, 1, 2, 3]);
        cache.Read(4);
        Assert.Equal([1], cache.Evicted);
    }

    [Fact]
    public void A_frame_that_was_put_back_stands_behind_all_others()
    {
        SmallCache cache = new(3, Create);
        cache.ReadAll([1, 2, 3]);
        cache.Pin(1);
        cache.Read(4);
        cache.Unpin(1);
        Assert.Equal([2, 3, 1, 4], [.. cache.Evicted[..1], .. cache.Drain()]);
    }

    [Fact]
    public void It_holds_no_memory_of_its_own() => Assert.Equal(0, Create(new FrameTable(1000), 1000).MetadataBytes);

    [Theory]
    [InlineData(1, 101)]
    [InlineData(2, 102)]
    [InlineData(5, 103)]
    [InlineData(50, 104)]
    public void Random_operations_agree_with_a_list(int frameCount, int seed)
    {
        Random random = new(seed);
        FrameTable frames = new(frameCount);
        IEvictionPolicy policy = Create(frames, frameCount);
        List<int> ring = [];
        for (int step = 0; step < 10_000; step++)
        {
            int frame = random.Next(frameCount);
            switch (random.Next(5))
            {
                case 0 when !ring.Contains(frame):
                    policy.Admit(frame, 0);
                    ring.Add(frame);
                    break;
                case 1:
                    int expected = Pick(frames, ring);
                    int found = policy.PickVictim();
                    Assert.True(expected == found, $"seed {seed}, step {step}: {found} instead of {expected}");
                    if (found >= 0 && random.Next(3) == 0)
                    {
                        policy.PutBack(found);
                        ring.Add(found);
                    }

                    break;
                case 2 when random.Next(4) == 0:
                    policy.Remove(frame);
                    ring.Remove(frame);
                    break;
                default:
                    frames[frame].Use = (byte)random.Next(FrameTable.MaxUse + 1);
                    break;
            }
        }
    }

    /// <summary>The model: looks at the counts and leaves the clearing of them to the policy.</summary>
    private static int Pick(FrameTable frames, List<int> ring)
    {
        int unused = ring.FindIndex(frame => frames[frame].Use == 0);
        int hand = Math.Max(0, unused);
        int victim = ring.Count == 0 ? -1 : ring[hand];
        ring.AddRange(ring[..hand]);
        ring.RemoveRange(0, Math.Min(ring.Count, hand + 1));
        return victim;
    }
}
