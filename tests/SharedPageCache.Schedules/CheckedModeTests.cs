using SharedPageCache.Schedules.Scenarios;
using SharedPageCache.Schedules.World;
using Xunit.Abstractions;

namespace SharedPageCache.Schedules;

/// <summary>A tenth of the schedules of all scenarios once more, over caches in checked mode (T6).</summary>
public sealed class CheckedModeTests(ITestOutputHelper output) : ScheduleTests(output)
{
    public static TheoryData<string> NamesToRepeat =>
        [.. Catalogue.All.Except(ComponentScenarios.All).Select(static scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(NamesToRepeat))]
    public void Holds_in_checked_mode(string name) => Explore(CheckedWorld.Of(Catalogue.Named(name)), share: 0.1);
}
