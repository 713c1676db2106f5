using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>All scenarios by name.</summary>
internal static class Catalogue
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        .. ComponentScenarios.All, .. ReadScenarios.All, .. InvalidationScenarios.All, .. TreeScenarios.All, .. LifetimeScenarios.All,
        .. RandomScenarios.All, .. WriteScenarios.All, .. WriteLeaseScenarios.All, .. TakeOverScenarios.All, .. WritebackScenarios.All, .. ClosingScenarios.All,
        .. InPlaceScenarios.All, .. RangeScenarios.All, .. RandomWriteScenarios.All,
        .. BesideScenarios.All, .. MergeScenarios.All, .. CombinedScenarios.All,
        .. DisposeScenarios.All, .. CancellationScenarios.All, .. PunchScenarios.All, .. VolumeScenarios.All,
        .. GenerationScenarios.All, .. CloneByCallScenarios.All, .. SharedLimitScenarios.All,
    ];

    public static Scenario Named(string name) => All.Single(scenario => scenario.Name == name);
}
