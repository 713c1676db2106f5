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
        Assert.False(Exists("bug: NoSuchBug"));
        Assert.False(Exists("mutant: NoSuchMutant"));
        Assert.False(Exists("HazardPageTests.No_such_test"));
        Assert.True(Exists("HazardPageTests.Names_that_do_not_exist_are_found"));
    }

    /// <summary>A planted bug of a line is found by a scenario of the same line, if it names any.</summary>
    [Fact]
    public void A_bug_stands_beside_a_scenario_that_finds_it()
    {
        var found = File.ReadAllText(Edits).Split("\nbug ").Skip(1).Select(static text => text.Split('\n'))
            .Where(static rows => rows[1].StartsWith("found by ", StringComparison.Ordinal))
            .ToLookup(static rows => rows[0], static rows => rows[1]["found by ".Length..].Split(Partings, StringSplitOptions.None));
        var lines = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "hazards.md")).Where(line => Code().IsMatch(line));
        Rule.Holds(
            lines.SelectMany(line =>
            {
                var names = Name().Matches(line).Select(static match => match.Groups[1].Value).ToArray();
                var scenarios = names.Where(static name => name.StartsWith("scenario: ", StringComparison.Ordinal)).Select(static name => name["scenario: ".Length..]);
                return names.Where(static name => name.StartsWith("bug: ", StringComparison.Ordinal)).Select(static name => name["bug: ".Length..])
                    .Where(bug => !found[bug].Any(by => by.Intersect(scenarios).Any()));
            }),
            "Bugs that no scenario of their line finds.");
    }

    private static readonly string[] Partings = [" & ", "; "];

    private static string Edits => Path.Combine(Repository.Root, "tests", "SharedPageCache.Schedules", "Planted", "Edits.txt");

    private static string Mutants => Path.Combine(Repository.Root, "tests", "SharedPageCache.Mutants", "Mutants.txt");

    private static bool Exists(string name)
    {
        if (name.StartsWith("bug: ", StringComparison.Ordinal))
        {
            return File.ReadAllText(Edits).Contains($"\nbug {name["bug: ".Length..]}\n", StringComparison.Ordinal);
        }

        if (name.StartsWith("mutant: ", StringComparison.Ordinal))
        {
            return File.ReadAllText(Mutants).Contains($"\nmutant {name["mutant: ".Length..]}\n", StringComparison.Ordinal);
        }

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
