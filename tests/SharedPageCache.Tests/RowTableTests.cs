using System.Reflection;
using System.Text.RegularExpressions;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests;

/// <summary>docs/rows.md maps every required row to tests that exist and name the row.</summary>
public partial class RowTableTests
{
    private static readonly string[] RequiredContract = [.. Enumerable.Range(1, 11).Select(number => $"C{number}")];

    private static readonly string[] RequiredRows =
    [
        "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B11", "B12", "C1", "C2", "C3", "C4", "C5",
        "D1", "D2", "D3", "D4", "D5", "E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "F1", "F2", "F3", "F4", "F5", "F6", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "H1", "H2", "H3", "H4", "H5",
        "I1", "I2", "I3", "I5", "J1", "J2", "J3", "J4",
        .. Enumerable.Range(1, 38).Select(number => $"L{number}"),
    ];

    /// <summary>Projects whose tests name rows too; they are read as text.</summary>
    private static readonly string[] OtherProjects = ["tests/SharedPageCache.CowVolume.Tests", "tests/SharedPageCache.TestKit.Tests", "tests/SharedPageCache.Stress", "tests/SharedPageCache.Reflink.Tests"];

    private static (string Name, string Attributes)[] OtherTests { get; } = [.. ReadOtherTests()];

    private static HashSet<string> Tests { get; } = [.. TestMethods().Select(Name), .. OtherTests.Select(test => test.Name)];

    private static Dictionary<(string Kind, string Row), string[]> Table { get; } = ReadTable();

    [Fact]
    public void Every_required_row_has_a_test()
    {
        Assert.All(RequiredContract, row => Assert.Contains(("Contract", row), Table.Keys));
        Assert.All(RequiredRows, row => Assert.Contains(("Row", row), Table.Keys));
        Assert.All(Table.Values, Assert.NotEmpty);
    }

    [Fact]
    public void Every_test_in_the_table_exists() =>
        Assert.All(Table.Values.SelectMany(tests => tests), test => Assert.Contains(test, Tests));

    [Fact]
    public void Every_test_that_names_a_row_stands_beside_it()
    {
        var missing =
            from method in TestMethods()
            from trait in method.GetCustomAttributesData()
            where trait.AttributeType == typeof(TraitAttribute)
            let kind = (string)trait.ConstructorArguments[0].Value!
            let row = (string)trait.ConstructorArguments[1].Value!
            where !Table.TryGetValue((kind, row), out var tests) || !tests.Contains(Name(method))
            select $"{kind} {row}: {Name(method)}";
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_test_of_the_other_projects_that_names_a_row_stands_beside_it()
    {
        var named = (
            from test in OtherTests
            from Match trait in Trait().Matches(test.Attributes)
            where trait.Groups[1].Value != "Category"
            select (test.Name, Kind: trait.Groups[1].Value, Row: trait.Groups[2].Value)).ToList();
        Assert.NotEmpty(named);
        Assert.All(named, test => Assert.Contains(test.Name, Table.GetValueOrDefault((test.Kind, test.Row), [])));
    }

    private static IEnumerable<(string Name, string Attributes)> ReadOtherTests() =>
        from project in OtherProjects
        from file in Repository.SourceFiles(project)
        from Match test in TestInSource().Matches(File.ReadAllText(file))
        where test.Groups[1].Value.Contains("[Fact", StringComparison.Ordinal) || test.Groups[1].Value.Contains("[Theory", StringComparison.Ordinal)
        select ($"{Path.GetFileNameWithoutExtension(file)}.{test.Groups[2].Value}", test.Groups[1].Value);

    private static IEnumerable<MethodInfo> TestMethods() =>
        typeof(RowTableTests).Assembly.GetTypes().SelectMany(type => type.GetMethods())
            .Where(method => method.IsDefined(typeof(FactAttribute), inherit: true));

    private static string Name(MethodInfo method) => $"{method.DeclaringType!.Name}.{method.Name}";

    /// <summary>The lines of the tables, by the section they stand in.</summary>
    private static Dictionary<(string Kind, string Row), string[]> ReadTable()
    {
        var table = new Dictionary<(string, string), string[]>();
        var kind = "";
        foreach (var line in Repository.Read("docs/rows.md").Split('\n'))
        {
            if (line.StartsWith("## "))
            {
                kind = line.Contains("contract") ? "Contract" : line.Contains("Incident") ? "Incident" : "Row";
            }
            else if (line.StartsWith("| ") && line.Contains('`'))
            {
                table.Add((kind, line.Split('|')[1].Trim()), [.. TestName().Matches(line).Select(match => match.Groups[1].Value)]);
            }
        }

        return table;
    }

    /// <summary>The attributes of a method, each on lines of its own, and its name.</summary>
    [GeneratedRegex(@"((?:^    \[.+\]\r?\n)+)    public (?:async )?\w+ (\w+)\(", RegexOptions.Multiline)]
    private static partial Regex TestInSource();

    [GeneratedRegex("Trait\\(\"(\\w+)\", \"(\\w+)\"\\)")]
    private static partial Regex Trait();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex TestName();
}
