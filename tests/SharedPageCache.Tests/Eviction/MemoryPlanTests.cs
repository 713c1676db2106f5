using SharedPageCache.Eviction;

namespace SharedPageCache.Tests.Eviction;

/// <summary>How frames are divided.</summary>
public sealed class MemoryPlanTests
{
    [Theory]
    [InlineData(3, 1, 1)]
    [InlineData(15, 1, 7)]
    [InlineData(16, 4, 6)]
    [InlineData(100, 4, 48)]
    [InlineData(256, 4, 126)]
    [InlineData(6400, 100, 3150)]
    public void The_reserve_is_one_frame_in_64_and_leases_have_half_of_the_rest(int frames, int reserve, int leases)
    {
        var plan = MemoryPlan.WithFrames(frames, 4096);
        Assert.Equal(reserve, plan.Reserve);
        Assert.Equal(leases, plan.LeaseLimit);
        Assert.Equal(Math.Max(1, (frames - reserve) * 2 / 5), plan.DirtyLimit);
        Assert.True(plan.MostWithheld < plan.LeaseLimit || plan.MostWithheld == 0);
        Assert.True(frames < MemoryPlan.FewestFrames || frames - reserve - leases - plan.MostWithheld >= Math.Max(2, Math.Min(256, frames / 8)));
    }

    [Theory]
    [InlineData(1 << 20, 512)]
    [InlineData(1 << 20, 4096)]
    [InlineData(64 << 20, 65536)]
    public void Frames_tables_and_the_allowance_for_trees_are_the_capacity(long capacity, int pageSize)
    {
        var plan = MemoryPlan.Of(capacity, pageSize);
        var tables = (long)plan.FrameCount * (48 + 3 + 6);
        Assert.Equal(capacity, plan.FrameBytes + tables + plan.MetadataAllowance);
        Assert.InRange(plan.MetadataAllowance, capacity / 32, capacity / 32 + pageSize + (16 << 10));
    }
}
