extern alias stress;

using SharedPageCache.TestKit.Faults;
using FaultLeg = stress::SharedPageCache.Stress.Faults.FaultLeg;
using RandomFaultLeg = stress::SharedPageCache.Stress.Faults.RandomFaultLeg;

namespace SharedPageCache.Soak.Legs;

/// <summary>
/// Each call of the device and the engine fails, once and for ever, in every layout that the seed draws; and random faults strike random programs
/// under four threads (T2).
/// </summary>
internal sealed class FaultsLeg : ISoakLeg
{
    /// <summary>What of its budget the leg spends on faults that are enumerated.</summary>
    private const double EnumeratedShare = 0.8;

    public string Name => "faults";

    public string Unit => "faults";

    public LegBudget Ci => LegBudget.Of(20_000, 15);

    public LegBudget Release => LegBudget.Of(200_000, 3600);

    public LegReport Run(LegBudget budget, Action<string> tell)
    {
        var begin = DateTime.UtcNow;
        var figures = default(FaultFigures);
        var random = default(FaultFigures);
        Exception? failure = null;
        try
        {
            figures = FaultLeg.RunAsync(
                budget.Seed, (long)(budget.Count * EnumeratedShare), begin + (budget.Time * EnumeratedShare), tell).GetAwaiter().GetResult();
            random = RandomFaultLeg.RunAsync(budget.Seed, budget.Count - figures.Faults, begin + budget.Time).GetAwaiter().GetResult();
            tell($"under four threads: {random}");
        }
        catch (Exception error)
        {
            failure = error;
        }

        var all = figures + random;
        return new LegReport(
            [new("scenarios", all.Scenarios), new("runs", all.Runs), new("runs with a fault", all.FaultyRuns), new("faults", all.Faults)],
            failure?.ToString(), failure is null ? null : ((ISoakLeg)this).Command(budget));
    }
}
