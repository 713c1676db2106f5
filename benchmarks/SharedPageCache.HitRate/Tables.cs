using System.Globalization;

namespace SharedPageCache.HitRate;

/// <summary>Measurements as Markdown tables, for a page of documentation.</summary>
internal static class Tables
{
    /// <summary>A row for each trace and cache size, a column for each policy: hit ratio in percent, regret in brackets.</summary>
    public static void Write(TextWriter output, IReadOnlyList<Measurement> measurements)
    {
        string[] policies = [.. measurements.Select(measured => measured.Policy.Name).Distinct()];
        output.WriteLine($"| trace | pages | best of 14 | {string.Join(" | ", policies)} |");
        output.WriteLine($"|---|---|---|{string.Concat(policies.Select(_ => "---|"))}");
        foreach (IGrouping<ReferenceRow, Measurement> row in measurements.GroupBy(measured => measured.Row))
        {
            IEnumerable<string> cells = policies.Select(policy => row.FirstOrDefault(measured => measured.Policy.Name == policy) is { } measured
                ? $"{Percent(measured.HitRatio)} ({Points(measured.RegretPoints)})"
                : "");
            output.WriteLine($"| {row.Key.Trace} | {row.Key.CachePages} | {Percent(row.Key.BestOnline)} | {string.Join(" | ", cells)} |");
        }

        WriteTotals(output, "**mean regret**", policies, policy => Of(policy).Average(measured => measured.RegretPoints));
        WriteTotals(output, "**worst regret**", policies, policy => Of(policy).Max(measured => measured.RegretPoints));
        WriteTotals(output, "**largest difference from the reference**", policies, policy => Of(policy).Max(measured => Math.Abs(measured.DifferencePoints)));

        IEnumerable<Measurement> Of(string policy) => measurements.Where(measured => measured.Policy.Name == policy);
    }

    /// <summary>A row for each trace, cache size and policy of the clone traces, which are synthetic.</summary>
    public static void WriteClones(TextWriter output, IReadOnlyList<CloneMeasurement> measurements)
    {
        output.WriteLine();
        output.WriteLine($"Synthetic: {CloneReplay.Clones} clones of each trace, a tenth of the pages private. Hit ratios in percent.");
        output.WriteLine();
        output.WriteLine("| trace | pages | policy | shared | shared, doublings | per file | best per file |");
        output.WriteLine("|---|---|---|---|---|---|---|");
        foreach (IGrouping<ReferenceRow, CloneMeasurement> row in measurements.GroupBy(measured => measured.Row))
        {
            double best = row.Max(measured => measured.PerFile);
            foreach (CloneMeasurement measured in row)
            {
                output.WriteLine(
                    $"| {row.Key.Trace} | {row.Key.CachePages} | {measured.Policy.Name} | {Percent(measured.Shared)} | {Percent(measured.SharedWeighed)} | "
                    + $"{Percent(measured.PerFile)} | {Percent(best)} |");
            }
        }
    }

    private static void WriteTotals(TextWriter output, string name, string[] policies, Func<string, double> total) =>
        output.WriteLine($"| {name} | | | {string.Join(" | ", policies.Select(policy => Points(total(policy))))} |");

    private static string Percent(double ratio) => (ratio * 100).ToString("F2", CultureInfo.InvariantCulture);

    private static string Points(double points) => points.ToString("F2", CultureInfo.InvariantCulture);
}
