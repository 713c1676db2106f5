extern alias stress;

using SharedPageCache.TestKit.Faults;
using stress::SharedPageCache.Stress.Faults;

namespace SharedPageCache.Soak.Legs;

/// <summary>Each call of the device and the engine fails, once and for ever; then random faults under four threads (T2).</summary>
internal sealed class FaultsLeg : ISoakLeg
{
    /// <summary>A short run tries one scenario in so many at a time, a long one all of them.</summary>
    private const int ShortOneIn = 24;

    /// <summary>What of its budget the leg spends on the enumeration.</summary>
    private const double EnumeratedShare = 0.75;

    private static readonly TimeSpan Short = TimeSpan.FromMinutes(5);

    public string Name => "faults";

    public string Unit => "faults";

    public LegBudget Ci => LegBudget.Of(20_000, 15);

    public LegBudget Release => LegBudget.Of(200_000, 3600);

    public LegReport Run(LegBudget budget, Action<string> tell)
    {
        var until = DateTime.UtcNow + budget.Time;
        var enumerated = EnumerateAsync(budget, tell).GetAwaiter().GetResult();
        tell($"{enumerated}");
        var random = RandomFaultLeg.RunAsync(budget.Seed, Math.Max(1, budget.Count - enumerated.Faults), until).GetAwaiter().GetResult();
        var all = enumerated + random;
        return new LegReport(
        [
            new("faults", all.Faults), new("runs", all.Runs), new("runs with a fault", all.FaultyRuns), new("scenarios", enumerated.Scenarios),
            new("faults under four threads", random.Faults),
        ]);
    }

    private static async Task<FaultFigures> EnumerateAsync(LegBudget budget, Action<string> tell)
    {
        var (faults, until) = ((long)(budget.Count * EnumeratedShare), DateTime.UtcNow + (budget.Time * EnumeratedShare));
        if (budget.Time >= Short)
        {
            return await FaultLeg.RunAsync(budget.Seed, faults, until, tell).ConfigureAwait(false);
        }

        var figures = default(FaultFigures);
        for (var round = 0; round == 0 || (figures.Faults < faults && DateTime.UtcNow < until); round++)
        {
            figures += await FaultLeg.RunOnceAsync(FaultLeg.Layouts[round % FaultLeg.Layouts.Count], budget.Seed + (ulong)round, ShortOneIn).ConfigureAwait(false);
        }

        return figures;
    }
}
