using System.Text.RegularExpressions;

namespace SharedPageCache.HouseTests.Pages;

/// <summary>docs/hazards.md names scenarios and tests that exist.</summary>
public sealed partial class HazardPageTests
{
    private static readonly Lazy<string[]> Sources = new(() =>
        [.. Repository.SourceFiles("tests").Select(File.ReadAllText)]);

    [Fact]
    public void Every_hazard_is_shown_by_a_scenario_or_a_test_that_exists()
    {
        var lines = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "hazards.md")).Where(line => Code().IsMatch(line)).ToArray();
        Assert.True(lines.Length > 40, $"only {lines.Length} hazards were found on the page");
        Rule.Holds(
            lines.SelectMany(line => Name().Matches(line) is { Count: > 0 } names
                ? names.Select(match => match.Groups[1].Value).Where(name => !Exists(name))
                : [$"nothing shows {line}"]),
            "Hazards without a scenario or a test.");
    }

    [Fact]
    public void Names_that_do_not_exist_are_found()
    {
        Assert.False(Exists("scenario: no such thing"));
        Assert.False(Exists("HazardPageTests.No_such_test"));
        Assert.True(Exists("HazardPageTests.Names_that_do_not_exist_are_found"));
    }

    private static bool Exists(string name)
    {
        if (name.StartsWith("scenario: ", StringComparison.Ordinal))
        {
            string quoted = $"new(\"{name["scenario: ".Length..]}\",";
            return Sources.Value.Any(source => source.Contains(quoted, StringComparison.Ordinal));
        }

        string[] parts = name.Split('.');
        return parts.Length == 2 && Sources.Value.Any(source =>
            Regex.IsMatch(source, $@"\bclass {parts[0]}\b") && Regex.IsMatch(source, $@"\b{parts[1]}\("));
    }

    [GeneratedRegex("^[|] [A-Z][0-9]")]
    private static partial Regex Code();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Name();
}
