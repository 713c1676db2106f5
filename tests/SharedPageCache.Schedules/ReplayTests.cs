using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.Planted;
using SharedPageCache.Schedules.Scenarios;
using Xunit.Abstractions;

namespace SharedPageCache.Schedules;

/// <summary>Replays the schedule of a failure's report: SPC_REPLAY='scenario|bug or nothing|schedule'.</summary>
public sealed class ReplayTests(ITestOutputHelper output)
{
    [Fact]
    public void Replay()
    {
        if (Environment.GetEnvironmentVariable("SPC_REPLAY") is not { } line)
        {
            return;
        }

        var report = Again(line);
        output.WriteLine(report);
        Assert.StartsWith("no failure", report, StringComparison.Ordinal);
    }

    /// <summary>The report of a bug has a line that fails in the same way again, with a column for each thread.</summary>
    [Theory]
    [InlineData("LoadFailureLeavesFrameListed")]
    [InlineData("FlushOutlivesItsVolume")]
    public void The_line_of_a_report_fails_again_in_the_same_way(string name)
    {
        var bug = Bugs.Named(name);
        using var explorer = new Explorer(Catalogue.Named(bug.Scenario.Split(Bugs.Partings, StringSplitOptions.None)[0]), bug.Number);
        var report = explorer.Explore(2000, seed: 7).Failure;
        Assert.NotNull(report);
        var again = Again(report.Split("SPC_REPLAY='")[1].Split('\'')[0]);
        var failure = report.Split('\n')[0].Split("' failed: ")[1];
        Assert.Equal(failure, again.Split('\n')[0]);
        Assert.Contains(again.Split('\n'), static row => row.StartsWith("| thread 0", StringComparison.Ordinal) && row.Contains("| thread 1", StringComparison.Ordinal));
        Assert.Contains(again.Split('\n'), static row => row.StartsWith("| ***", StringComparison.Ordinal));
        Assert.Contains(again.Split('\n'), static row => row.StartsWith("          ", StringComparison.Ordinal) && row.Contains("| ", StringComparison.Ordinal));
    }

    private static string Again(string line)
    {
        var parts = line.Split('|');
        using var explorer = new Explorer(Catalogue.Named(parts[0]), parts[1].Length == 0 ? 0 : Bugs.Named(parts[1]).Number);
        return explorer.Replay(Choice.Parse(parts[2]));
    }
}
