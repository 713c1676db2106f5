using SharedPageCache.Schedules.Scenarios;
using Xunit.Abstractions;

namespace SharedPageCache.Schedules;

/// <summary>See <see cref="BesideScenarios"/>.</summary>
public sealed class BesideTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. BesideScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="MergeScenarios"/>.</summary>
public sealed class MergeTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. MergeScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="CombinedScenarios"/>.</summary>
public sealed class CombinedTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. CombinedScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="DisposeScenarios"/>.</summary>
public sealed class DisposeTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. DisposeScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="CancellationScenarios"/>.</summary>
public sealed class CancellationTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. CancellationScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="PunchScenarios"/>.</summary>
public sealed class PunchTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. PunchScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="VolumeScenarios"/>.</summary>
public sealed class VolumeTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. VolumeScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="GenerationScenarios"/>.</summary>
public sealed class GenerationTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. GenerationScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="CloneByCallScenarios"/>.</summary>
public sealed class CloneByCallTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. CloneByCallScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}

/// <summary>See <see cref="SharedLimitScenarios"/>.</summary>
public sealed class SharedLimitTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> Names => [.. SharedLimitScenarios.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Holds(string name) => Explore(Catalogue.Named(name));
}
