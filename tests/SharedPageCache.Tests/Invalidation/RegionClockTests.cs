using SharedPageCache.Mappings;

namespace SharedPageCache.Tests.Invalidation;

/// <summary>What a volume remembers of discards and moves.</summary>
public sealed class RegionClockTests
{
    private const int RegionBlocks = 1 << RegionClock.RegionShift;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(RegionBlocks - 1, 2)]
    [InlineData(0, RegionBlocks)]
    [InlineData(RegionBlocks - 1, RegionBlocks + 2)]
    [InlineData(5, 3 * RegionBlocks)]
    public void A_change_ages_answers_about_all_its_blocks_and_about_no_other(long first, long count)
    {
        var clock = new RegionClock();
        var age = clock.Now;
        clock.Advance(first, first + count - 1);
        for (var block = Math.Max(0, first - 2); block < first + count + 2; block += block > first && block < first + count - 2 ? 97 : 1)
        {
            Assert.Equal(block >= first && block < first + count, clock.HasChangedSince(age, block));
        }

        Assert.True(clock.HasChangedSince(age, first + count - 1));
        Assert.False(clock.HasChangedSince(clock.Now, first));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(200)]
    [InlineData(300)]
    [InlineData(5000)]
    public void A_change_is_not_forgotten_behind_any_number_of_others(int others)
    {
        var clock = new RegionClock();
        var age = clock.Now;
        clock.Advance(7, 7);
        for (var i = 0; i < others; i++)
        {
            clock.Advance(100 + i % 50, 100 + i % 50);
        }

        Assert.True(clock.HasChangedSince(age, 7));
    }

    [Fact]
    public void A_run_has_changed_with_any_of_its_blocks()
    {
        var clock = new RegionClock();
        var age = clock.Now;
        var run = new WindowRun(0, 4 << 12, 10 << 12, ExtentFlags.None, 0);
        clock.Advance(9, 9);
        clock.Advance(14, 14);
        Assert.False(clock.HasChangedSince(age, run, pageShift: 12));
        clock.Advance(13, 13);
        Assert.True(clock.HasChangedSince(age, run, pageShift: 12));
    }
}
