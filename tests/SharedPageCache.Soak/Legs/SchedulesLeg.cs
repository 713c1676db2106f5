extern alias schedules;

using schedules::SharedPageCache.Schedules.Exploring;
using schedules::SharedPageCache.Schedules.Scenarios;

namespace SharedPageCache.Soak.Legs;

/// <summary>Schedules of small concurrent programs over the core's own sources (T3).</summary>
internal sealed class SchedulesLeg : ISoakLeg
{
    /// <summary>How many schedules of a scenario are tried before the next scenario has its turn.</summary>
    private const int Slice = 150;

    public string Name => "schedules";

    public string Unit => "schedules";

    public LegBudget Ci => LegBudget.Of(60_000, 20);

    public LegBudget Release => LegBudget.Of(5_000_000, 7200);

    public LegReport Run(LegBudget budget, Action<string> tell)
    {
        var tally = new LegTally(budget, Unit);

        // In another order each time: what a short run does not come to, the next one does.
        var scenarios = Catalogue.All.ToArray();
        new Random((int)(budget.Seed & int.MaxValue)).Shuffle(scenarios);
        return tally.Run(
            (number, seed) =>
            {
                using var explorer = new Explorer(scenarios[number % scenarios.Length]);
                var result = explorer.Explore(Slice, seed);
                tally.Add(Unit, result.Schedules);
                tally.Add("slices of a scenario", 1);
                if (result.Failure is { } failure)
                {
                    tally.Fail(failure, $"SPC_SEED={seed} dotnet test tests/SharedPageCache.Schedules, or the line above");
                }
            },
            tell,
            static (_, seed) => $"SPC_SEED={seed} dotnet test tests/SharedPageCache.Schedules");
    }
}
