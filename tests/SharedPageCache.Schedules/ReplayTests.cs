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

        var parts = line.Split('|');
        using var explorer = new Explorer(Catalogue.Named(parts[0]), parts[1].Length == 0 ? 0 : Bugs.Named(parts[1]).Number);
        var report = explorer.Replay(Choice.Parse(parts[2]));
        output.WriteLine(report);
        Assert.StartsWith("no failure", report, StringComparison.Ordinal);
    }
}
