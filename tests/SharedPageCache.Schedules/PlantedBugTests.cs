using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.Planted;
using SharedPageCache.Schedules.Scenarios;
using Xunit.Abstractions;

namespace SharedPageCache.Schedules;

/// <summary>The positive controls: what the explorer is for, it finds.</summary>
public sealed class PlantedBugTests(ITestOutputHelper output) : ScheduleTests(output)
{
    /// <summary>Most are found in some hundreds; the hardest needs ten thousand now and then.</summary>
    private const int Most = 60_000;

    public static TheoryData<string> Names => [.. Bugs.All.Select(bug => bug.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Is_found(string name)
    {
        var bug = Bugs.Named(name);
        Assert.True(bug.IsPlanted, $"{bug.File} has changed: adapt the bug {name} in Planted/Edits.txt.");
        foreach (var scenario in bug.Scenario.Split("; "))
        {
            using var explorer = new Explorer(Catalogue.Named(scenario), bug.Number);
            var result = explorer.Explore(Most, Seed);
            Note($"{name}\t{scenario}\t{(result.Failure is null ? "NOT found" : "found")} after {result.Schedules} schedules\t{Headline(result.Failure)}");
            if (result.Failure is not null)
            {
                AssertReplays(result.Failure);
                return;
            }
        }

        Assert.Fail($"seed {Seed}: the planted bug {name} was not found");
    }

    /// <summary>The replay in the report must have failed too.</summary>
    private static void AssertReplays(string report) =>
        Assert.DoesNotContain("\nno failure\n", report, StringComparison.Ordinal);

    private static string Headline(string? failure) => failure?.Split('\n')[0] ?? "";
}
