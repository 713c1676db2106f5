using System.Globalization;
using SharedPageCache.Measures;

namespace SharedPageCache.Report;

/// <summary>Which tables have a picture, and what it shows.</summary>
internal static class Pictures
{
    /// <summary>The picture of a table, or null.</summary>
    public static Chart? For(string section, IReadOnlyList<Figure> figures) => section switch
    {
        "Hit latency by size" => new Chart(
            "A hit, by the bytes it copies", "bytes (each step eight times the last)", "nanoseconds", Lines(figures, isBound: "raw copy"))
        {
            IsXLogarithmic = true, IsYLogarithmic = true,
        },
        "Threads" => new Chart(
            "4 KiB hits, uniform, by threads", "threads", "million reads a second",
            Lines([.. figures.Where(static figure => figure.What.StartsWith("4 KiB, uniform", StringComparison.Ordinal) && figure.Unit == "M/s")],
                "raw copy", static what => what.Split(", ")[^1])),
        "Memory of clones" => new Chart(
            "Memory of clones, each read in full", "clones", "MiB", Lines(figures, isBound: ""))
        {
            IsXLogarithmic = true, IsYLogarithmic = true,
        },
        _ => null,
    };

    /// <summary>A small chart for each trace.</summary>
    public static string HitRatios(IReadOnlyList<HitRatio> ratios)
    {
        string[] policies = [.. ratios.Select(static row => row.Policy).Distinct()];
        var charts = ratios.GroupBy(static row => row.Trace).Select(trace => new Chart(
            trace.Key, "pages", "hit ratio, %",
            [
                .. policies.Select(policy => new Chart.Line(
                    policy, [.. trace.Where(row => row.Policy == policy).Select(static row => ((double)row.CachePages, row.Ratio * 100))])),
                new Chart.Line(
                    "best of 14 online policies", [.. trace.DistinctBy(static row => row.CachePages).Select(static row => ((double)row.CachePages, row.BestOnline * 100))],
                    IsDashed: true),
            ])
        {
            IsXLogarithmic = true, HasLegend = false, Size = (340, 230),
        });
        return Chart.Grid([.. charts], columns: 3);
    }

    private static List<Chart.Line> Lines(IReadOnlyList<Figure> figures, string isBound, Func<string, string>? place = null) =>
    [
        .. figures.GroupBy(static figure => figure.Subject).Select(peer => new Chart.Line(
            peer.Key, [.. peer.Select(figure => (FirstNumber(place?.Invoke(figure.What) ?? figure.What), figure.Value))], peer.Key == isBound)),
    ];

    private static double FirstNumber(string text) =>
        double.Parse(text.TakeWhile(static letter => char.IsAsciiDigit(letter) || letter == '.').ToArray(), CultureInfo.InvariantCulture);
}
