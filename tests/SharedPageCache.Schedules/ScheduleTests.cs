using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.Scenarios;
using Xunit.Abstractions;

namespace SharedPageCache.Schedules;

/// <summary>Explores the schedules of a list of scenarios.</summary>
public abstract class ScheduleTests(ITestOutputHelper output)
{
    private const int Default = 300;

    private static readonly double Scale =
        double.Parse(Environment.GetEnvironmentVariable("SPC_SCHEDULES") ?? "1", System.Globalization.CultureInfo.InvariantCulture);

    private static readonly Lock ReportLock = new();

    private protected static ulong Seed { get; } = Environment.GetEnvironmentVariable("SPC_SEED") is { } seed
        ? ulong.Parse(seed, System.Globalization.CultureInfo.InvariantCulture)
        : (ulong)Environment.TickCount64 << 20;

    private protected void Explore(Scenario scenario, double share = 1)
    {
        using var explorer = new Explorer(scenario);
        var result = explorer.Explore((int)(Default * Scale * share), Seed);
        Note($"{scenario.Name}\t{result.Schedules} schedules\t{result.Steps} steps at most\t{result.Schedules / result.Elapsed.TotalSeconds:f0}/s"
            + $"\t{(result.Complete ? "complete for two preemptions" : "")}");
        Assert.True(result.Failure is null, $"seed {Seed}: {result.Failure}");
    }

    private protected void Note(string line)
    {
        output.WriteLine(line);
        if (Environment.GetEnvironmentVariable("SPC_REPORT") is { } file)
        {
            lock (ReportLock)
            {
                File.AppendAllText(file, line + "\n");
            }
        }
    }
}

/// <summary>See <see cref="ComponentScenarios"/>.</summary>
public sealed class ComponentTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. ComponentScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="ReadScenarios"/>.</summary>
public sealed class ReadTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. ReadScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="InvalidationScenarios"/>.</summary>
public sealed class InvalidationTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. InvalidationScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="TreeScenarios"/>.</summary>
public sealed class TreeTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. TreeScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="LifetimeScenarios"/>.</summary>
public sealed class LifetimeTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. LifetimeScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="RandomScenarios"/>.</summary>
public sealed class RandomTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. RandomScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="WriteScenarios"/>.</summary>
public sealed class WriteTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. WriteScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="TakeOverScenarios"/>.</summary>
public sealed class TakeOverTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. TakeOverScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="WriteLeaseScenarios"/>.</summary>
public sealed class WriteLeaseTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. WriteLeaseScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="WritebackScenarios"/>.</summary>
public sealed class WritebackTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. WritebackScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="ClosingScenarios"/>.</summary>
public sealed class ClosingTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. ClosingScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="InPlaceScenarios"/>.</summary>
public sealed class InPlaceTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. InPlaceScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="RangeScenarios"/>.</summary>
public sealed class RangeTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. RangeScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="RandomWriteScenarios"/>.</summary>
public sealed class RandomWriteTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. RandomWriteScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>Each list of scenarios has its class, so that the lists run side by side: none may be forgotten.</summary>
public sealed class CatalogueTests
{
    [Fact]
    public void Every_scenario_is_explored_by_a_test()
    {
        var explored = typeof(ScheduleTests).Assembly.GetTypes()
            .Where(static type => type.IsSubclassOf(typeof(ScheduleTests)))
            .Select(static type => type.GetProperty("Names")?.GetValue(null))
            .OfType<TheoryData<string>>()
            .SelectMany(static names => ((IEnumerable<object[]>)names).Select(static row => (string)row[0]));
        Assert.Empty(Catalogue.All.Select(static scenario => scenario.Name).Except(explored));
    }
}
