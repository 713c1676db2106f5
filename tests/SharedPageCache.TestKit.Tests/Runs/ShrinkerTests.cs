namespace SharedPageCache.TestKit.Tests.Runs;

/// <summary>Histories are made as short as they can be, and are read as they were written.</summary>
public sealed class ShrinkerTests
{
    [Fact]
    public void Only_the_steps_that_are_needed_stay()
    {
        var asked = 0;
        var kept = Shrinker.Shrink(
            [.. Enumerable.Range(0, 1000)],
            steps =>
            {
                asked++;
                return steps.Contains(17) && steps.Contains(500) && steps.Contains(999);
            },
            TimeSpan.FromMinutes(1));
        Assert.Equal([17, 500, 999], kept);
        Assert.InRange(asked, 1, 200);
    }

    [Fact]
    public void A_step_that_can_go_only_when_a_later_one_has_gone_goes()
    {
        var kept = Shrinker.Shrink(
            [.. Enumerable.Range(0, 64)], static steps => steps.Contains(40) && (!steps.Contains(50) || steps.Contains(10)), TimeSpan.FromMinutes(1));
        Assert.Equal([40], kept);
    }

    [Fact]
    public void With_no_time_the_history_stays_as_it_is() =>
        Assert.Equal([1, 2, 3], Shrinker.Shrink([1, 2, 3], static _ => true, TimeSpan.FromTicks(-1)));

    [Fact]
    public void A_history_that_fails_without_any_step_becomes_empty() =>
        Assert.Empty(Shrinker.Shrink([1, 2, 3, 4, 5], static _ => true, TimeSpan.FromMinutes(1)));

    [Theory]
    [InlineData("", new int[0])]
    [InlineData("7", new[] { 7 })]
    [InlineData("0-2,5,9-10", new[] { 0, 1, 2, 5, 9, 10 })]
    public void Steps_are_read_as_they_are_written(string text, int[] steps)
    {
        Assert.Equal(text, StepList.Format(steps));
        Assert.Equal(steps, StepList.Parse(text));
    }

    [Theory]
    [InlineData("1-2-3")]
    [InlineData("x")]
    public void What_is_no_list_of_steps_is_refused(string text) => Assert.Throws<FormatException>(() => StepList.Parse(text));
}
