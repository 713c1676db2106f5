using System.Text.Json;

namespace SharedPageCache.HitRate;

/// <summary>Prints measurements as tables or as JSON.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    public static void WriteRow(TextWriter output, Measurement measured, bool first)
    {
        if (first)
        {
            output.WriteLine(
                $"{"trace",-31} {"pages",7} {"policy",-7} {"ratio",7} {"reference",9} {"diff",7} {"regret",7}");
        }

        output.WriteLine(
            $"{measured.Row.Trace,-31} {measured.Row.CachePages,7} {measured.Policy.Name,-7} {measured.HitRatio,7:F4} "
            + $"{measured.Reference,9:F4} {measured.DifferencePoints,7:F2} {measured.RegretPoints,7:F2}");
    }

    /// <summary>Prints what was measured in the end.</summary>
    public static void Write(
        TextWriter output, OutputFormat format, List<Measurement> measurements, List<CloneMeasurement> clones)
    {
        switch (format)
        {
            case OutputFormat.Json:
                WriteJson(output, measurements, clones);
                return;
            case OutputFormat.Markdown when measurements.Count > 0:
                Tables.Write(output, measurements);
                break;
            case OutputFormat.Lines when measurements.Count > 0:
                WriteSummary(output, measurements);
                break;
        }

        if (clones.Count > 0)
        {
            Tables.WriteClones(output, clones);
        }
    }

    /// <summary>One line for each policy. Differences and regrets are in points of 1 %.</summary>
    private static void WriteSummary(TextWriter output, List<Measurement> measurements)
    {
        output.WriteLine();
        foreach (Summary summary in SummariesOf(measurements))
        {
            output.WriteLine(
                $"{summary.Policy}: {summary.Rows} rows; largest difference from the reference "
                + $"{summary.LargestDifferencePoints:F2} points ({summary.LargestDifferenceRow}); "
                + $"mean regret {summary.MeanRegretPoints:F2} points, worst "
                + $"{summary.WorstRegretPoints:F2} ({summary.WorstRegretRow})");
        }
    }

    private static void WriteJson(TextWriter output, List<Measurement> measurements, List<CloneMeasurement> clones)
    {
        object report = new
        {
            Rows = measurements.Select(measured => new
            {
                measured.Row.Trace,
                measured.Row.CachePages,
                Policy = measured.Policy.Name,
                HitRatio = Math.Round(measured.HitRatio, 6),
                measured.Reference,
                DifferencePoints = Math.Round(measured.DifferencePoints, 4),
                measured.Row.BestOnline,
                RegretPoints = Math.Round(measured.RegretPoints, 4),
            }),
            Summary = SummariesOf(measurements),
            Clones = clones.Select(measured => new
            {
                measured.Row.Trace,
                measured.Row.CachePages,
                Policy = measured.Policy.Name,
                Shared = Math.Round(measured.Shared, 6),
                SharedWeighed = Math.Round(measured.SharedWeighed, 6),
                PerFile = Math.Round(measured.PerFile, 6),
            }),
        };
        output.WriteLine(JsonSerializer.Serialize(report, Json));
    }

    private static IEnumerable<Summary> SummariesOf(List<Measurement> measurements) =>
        measurements.GroupBy(measured => measured.Policy.Name).Select(group =>
        {
            Measurement farthest = group.MaxBy(measured => Math.Abs(measured.DifferencePoints))!;
            Measurement worst = group.MaxBy(measured => measured.RegretPoints)!;
            return new Summary(
                group.Key,
                group.Count(),
                Math.Round(farthest.DifferencePoints, 4),
                NameOf(farthest),
                Math.Round(group.Average(measured => measured.RegretPoints), 4),
                Math.Round(worst.RegretPoints, 4),
                NameOf(worst));
        });

    private static string NameOf(Measurement measured) => $"{measured.Row.Trace} at {measured.Row.CachePages}";

    private sealed record Summary(
        string Policy,
        int Rows,
        double LargestDifferencePoints,
        string LargestDifferenceRow,
        double MeanRegretPoints,
        double WorstRegretPoints,
        string WorstRegretRow);
}
