extern alias cow;
extern alias logged;

using CrashLeg = cow::SharedPageCache.Cow.Tests.Crashes.CrashLeg;
using LoggedCrashTests = logged::SharedPageCache.TestKit.Tests.Logging.LoggedCrashTests;

namespace SharedPageCache.Soak.Legs;

/// <summary>
/// The power goes (T5): between any two flushes of a <c>CowVolume</c>, with every subset of what was not flushed or a sample; and at every
/// operation of the engine with a log, on both of its disks.
/// </summary>
internal sealed class CrashesLeg : ISoakLeg
{
    private const string LoggedUnit = "power cuts";

    /// <summary>What of its budget the leg spends on <c>CowVolume</c>.</summary>
    private const double CowShare = 0.75;

    public string Name => "crashes";

    public string Unit => "crash points";

    public LegBudget Ci => LegBudget.Of(20_000, 10);

    public LegBudget Release => LegBudget.Of(200_000, 3600);

    public LegReport Run(LegBudget budget, Action<string> tell)
    {
        var until = DateTime.UtcNow + budget.Time;
        var figures = CrashLeg.RunAsync(budget.Seed, (long)(budget.Count * CowShare), DateTime.UtcNow + (budget.Time * CowShare)).GetAwaiter().GetResult();
        tell($"{figures}");
        var rest = budget with { Count = Math.Max(1, budget.Count - figures.Points), Time = until - DateTime.UtcNow };
        var tally = new LegTally(rest, LoggedUnit);
        tally.Add("crash points", figures.Points);
        tally.Add("moments", figures.Moments);
        tally.Add("moments with every state", figures.Whole);
        tally.Add("workloads", figures.Runs);
        return tally.Run(
            (_, seed) =>
            {
                new LoggedCrashTests(tally.Listener()).After_a_power_cut_at_any_operation_every_promised_change_is_there(seed).GetAwaiter().GetResult();
                tally.Add("workloads with a log", 1);
            },
            tell,
            static (_, seed) => $"{nameof(LoggedCrashTests)} of tests/SharedPageCache.TestKit.Tests with seed {seed}");
    }
}
