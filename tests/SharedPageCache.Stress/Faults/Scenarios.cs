namespace SharedPageCache.Stress.Faults;

/// <summary>All scenarios, by what they are about. See <see cref="Scenario"/> for how to read them.</summary>
internal static class Scenarios
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        .. Of(ReadingScenarios.Table), .. Of(WritingScenarios.Table), .. Of(ShapeScenarios.Table), .. Of(CloneScenarios.Table),
        .. Of(RangeScenarios.Table), .. Of(LeaseScenarios.Table), .. Of(BlockScenarios.Table), .. Of(MomentScenarios.Table),
    ];

    private static IEnumerable<Scenario> Of((string Name, string Program)[] table) =>
        table.Select(static row => new Scenario(row.Name, row.Program));
}
