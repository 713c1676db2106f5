using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

/// <summary>The cold end before a policy: a policy itself, whose cold frames go first.</summary>
public sealed class ColdEndTests : EvictionPolicyTests
{
    private protected override IEvictionPolicy Create(FrameTable frames, int capacityFrames) =>
        new ColdEnd(frames, new S3FifoPolicy(frames, capacityFrames));

    [Fact]
    public void Cold_frames_go_before_all_others_in_the_order_of_their_coming()
    {
        var cold = Cold(6, out _);
        cold.Admit(0, 0);
        cold.AdmitCold(3);
        cold.Admit(1, 0);
        cold.AdmitCold(2);
        Assert.Equal([3, 2, 0, 1, -1], Drain(cold));
    }

    [Fact]
    public void A_cold_frame_that_was_used_is_a_newcomer_of_the_policy()
    {
        var cold = Cold(6, out var frames);
        cold.Admit(0, 0);
        cold.AdmitCold(1);
        cold.AdmitCold(2);
        frames[1].Use = 1;
        Assert.Equal([2, 0, 1, -1], Drain(cold));
    }

    [Fact]
    public void A_demoted_frame_goes_first_however_often_it_was_used()
    {
        var cold = Cold(6, out var frames);
        AdmitAll(cold, 4);
        frames[2].Use = FrameTable.MaxUse;
        Assert.True(cold.TryDemote(2));
        Assert.Equal([2, 0, 1, 3, -1], Drain(cold));
    }

    [Fact]
    public void What_the_policy_does_not_have_is_not_demoted()
    {
        var cold = Cold(6, out _);
        Assert.False(cold.TryDemote(0));
        cold.Admit(0, 0);
        Assert.True(cold.TryDemote(0));
        Assert.False(cold.TryDemote(0));
        Assert.Equal(1, cold.Count);
        cold.Remove(0);
        Assert.Equal(0, cold.Count);
        Assert.False(cold.TryDemote(0));
        Assert.Equal([-1], Drain(cold));
    }

    [Fact]
    public void A_spared_cold_frame_is_a_newcomer_of_the_policy()
    {
        var cold = Cold(6, out _);
        cold.Admit(0, 0);
        cold.AdmitCold(1);
        cold.Spare(cold.PickVictim());
        Assert.Equal(0, cold.Count);
        Assert.Equal([0, 1, -1], Drain(cold));
    }

    [Theory]
    [InlineData(40, 40)]
    [InlineData(1, 60)]
    [InlineData(60, 1)]
    [InlineData(3, 3)]
    public void Frames_that_are_put_back_on_one_side_never_hide_those_of_the_other(int coldCount, int others)
    {
        var all = coldCount + others;
        var cold = Cold(all, out _);
        for (var frame = 0; frame < all; frame++)
        {
            if (frame < coldCount)
            {
                cold.AdmitCold(frame);
            }
            else
            {
                cold.Admit(frame, 0);
            }
        }

        var offered = new HashSet<int>();
        for (var i = 0; i < 8 * all + 64; i++)
        {
            var frame = cold.PickVictim();
            offered.Add(frame);
            cold.PutBack(frame);
        }

        Assert.Equal(all, offered.Count);
        Assert.Equal(coldCount, cold.Count);
    }

    [Theory]
    [InlineData(7, 11)]
    [InlineData(60, 12)]
    public void Random_entries_and_demotions_lose_no_frame_and_offer_none_twice(int frameCount, int seed)
    {
        var random = new Random(seed);
        var cold = Cold(frameCount, out var frames);
        var inside = new HashSet<int>();
        for (var step = 0; step < 20_000; step++)
        {
            var frame = random.Next(frameCount);
            switch (random.Next(6))
            {
                case 0 when inside.Add(frame):
                    cold.AdmitCold(frame);
                    break;
                case 1 when inside.Add(frame):
                    cold.Admit(frame, SmallCache.HashOf(frame));
                    break;
                case 2:
                    Assert.True(inside.Contains(frame) || !cold.TryDemote(frame), $"seed {seed}, step {step}: {frame} is not in");
                    break;
                case 3:
                    var found = cold.PickVictim();
                    Assert.True(inside.Count == 0 ? found == -1 : inside.Remove(found), $"seed {seed}, step {step}: offered {found}");
                    switch (found < 0 ? 3 : random.Next(3))
                    {
                        case 0:
                            cold.PutBack(found);
                            inside.Add(found);
                            break;
                        case 1:
                            cold.Spare(found);
                            inside.Add(found);
                            break;
                        case 2:
                            cold.Evicted(found, SmallCache.HashOf(found));
                            frames[found].Use = 0;
                            break;
                    }

                    break;
                case 4 when random.Next(3) == 0:
                    cold.Remove(frame);
                    inside.Remove(frame);
                    break;
                default:
                    frames[frame].Use = (byte)random.Next(FrameTable.MaxUse + 1);
                    break;
            }
        }

        Assert.Equal(inside.Count + 1, Drain(cold).Distinct().Count());
    }

    private static ColdEnd Cold(int frameCount, out FrameTable frames)
    {
        frames = new FrameTable(frameCount);
        return new ColdEnd(frames, new ClockPolicy(frames, frameCount));
    }

    private static List<int> Drain(ColdEnd cold)
    {
        var left = new List<int>();
        do
        {
            left.Add(cold.PickVictim());
            if (left[^1] >= 0)
            {
                cold.Evicted(left[^1], 0);
            }
        }
        while (left[^1] >= 0);
        return left;
    }
}
