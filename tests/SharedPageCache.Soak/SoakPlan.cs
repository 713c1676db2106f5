using System.Globalization;
using SharedPageCache.Soak.Legs;

namespace SharedPageCache.Soak;

/// <summary>Which legs run, with which budgets.</summary>
internal sealed record SoakPlan(string Scale, ulong Seed, IReadOnlyList<(ISoakLeg Leg, LegBudget Budget)> Legs)
{
    /// <exception cref="FormatException">A word is none of those that there are.</exception>
    public static SoakPlan Of(string scale, string legs, double? seconds, long? count, ulong seed, int threads)
    {
        var chosen = legs.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(SoakLegs.Named).ToArray();
        var budgets = chosen.Select(leg => BudgetOf(leg, scale) with { Seed = seed, Threads = Math.Max(1, threads) }).ToArray();
        if (seconds is { } all)
        {
            var planned = budgets.Sum(static budget => budget.Time.TotalSeconds);
            budgets = [.. budgets.Select(budget => budget with { Time = TimeSpan.FromSeconds(budget.Time.TotalSeconds * all / planned) })];
        }

        if (count is { } most)
        {
            budgets = [.. budgets.Select(budget => budget with { Count = most })];
        }

        return new SoakPlan(scale, seed, [.. chosen.Zip(budgets)]);
    }

    private static LegBudget BudgetOf(ISoakLeg leg, string scale)
    {
        switch (scale)
        {
            case "ci":
                return leg.Ci;
            case "release":
                return leg.Release;
            default:
                var times = double.TryParse(scale, CultureInfo.InvariantCulture, out var number) && number > 0
                    ? number
                    : throw new FormatException($"'{scale}' is no scale: ci, release, or how many times ci.");
                return new LegBudget((long)Math.Min(long.MaxValue, leg.Ci.Count * times), leg.Ci.Time * times);
        }
    }
}
