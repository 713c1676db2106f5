using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.Planted;
using SharedPageCache.Schedules.Scenarios;
using Xunit.Abstractions;

namespace SharedPageCache.Schedules;

/// <summary>
/// The positive controls: what the explorer is for, it finds. Scenarios of a bug that are parted by an ampersand must each find it; of those that
/// are parted by a semicolon one must, and the next is asked only if the one before has not.
/// </summary>
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
        foreach (var hazard in bug.Scenario.Split(Bugs.Partings[0]))
        {
            Assert.True(IsFoundByAny(bug, hazard.Split(Bugs.Partings[1])), $"seed {Seed}: the planted bug {name} was not found by {hazard}");
        }
    }

    private bool IsFoundByAny(Bugs.Bug bug, string[] scenarios)
    {
        foreach (var scenario in scenarios)
        {
            using var explorer = new Explorer(Catalogue.Named(scenario), bug.Number);
            var result = explorer.Explore(Most, Seed);
            Note($"{bug.Name}\t{scenario}\t{(result.Failure is null ? "NOT found" : "found")} after {result.Schedules} schedules\t{Headline(result.Failure)}");
            if (result.Failure is not null)
            {
                AssertReplays(result.Failure);
                return true;
            }
        }

        return false;
    }

    /// <summary>The replay in the report must have failed too.</summary>
    private static void AssertReplays(string report) =>
        Assert.DoesNotContain("\nno failure\n", report, StringComparison.Ordinal);

    private static string Headline(string? failure) => failure?.Split('\n')[0] ?? "";
}
