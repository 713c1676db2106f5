using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>All scenarios by name.</summary>
internal static class Catalogue
{
    public static IReadOnlyList<Scenario> All { get; } = 
    [
        .. ComponentScenarios.All, .. ReadScenarios.All, .. InvalidationScenarios.All, .. TreeScenarios.All, .. LifetimeScenarios.All,
        .. RandomScenarios.All, .. WriteScenarios.All, .. TakeOverScenarios.All, .. WritebackScenarios.All, .. RandomWriteScenarios.All, .. BesideScenarios.All,
        .. MergeScenarios.All,
    ];

    public static Scenario Named(string name) => All.Single(scenario => scenario.Name == name);
}
