using System.Globalization;
using SharedPageCache.TestKit.Models;
using SharedPageCache.Tests.Writing.Modelled;

namespace SharedPageCache.Soak.Legs;

/// <summary>Histories of several files with byte arrays as the oracle (T1).</summary>
internal sealed class ModelLeg : ISoakLeg
{
    public string Name => "model";

    public string Unit => "operations";

    public LegBudget Ci => LegBudget.Of(20_000_000, 240);

    public LegBudget Release => LegBudget.Of(200_000_000, 7200);

    public static ModelRun NewRun(int threads) => new(static shape => new ArrayVolume(shape)) { Threads = threads };

    public LegReport Run(LegBudget budget, Action<string> tell)
    {
        var figures = NewRun(budget.Threads).Run(
            budget.Seed, budget.Count, budget.Time, done => tell(string.Create(CultureInfo.InvariantCulture, $"{done:n0} operations")));
        return new LegReport(
            [
                new("operations", figures.Operations), new("histories", figures.Histories), new("bytes compared", figures.BytesCompared),
                new("refusals", figures.Refusals), new("verifications", figures.Verifications),
            ],
            figures.Failure?.ToString(),
            figures.Failure is { } failure ? $"dotnet run -c Release --project tests/SharedPageCache.Soak -- --replay {failure.Replay}" : null);
    }
}
