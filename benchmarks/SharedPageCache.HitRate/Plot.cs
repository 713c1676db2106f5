using System.Globalization;
using System.Text;

namespace SharedPageCache.HitRate;

/// <summary>Hit ratio against cache size as an SVG picture, a line for each policy, one picture a trace.</summary>
internal static class Plot
{
    private const int Width = 720;
    private const int Height = 420;
    private const int Left = 56;
    private const int Right = 560;
    private const int Top = 36;
    private const int Bottom = 372;

    private static readonly string[] Colours = ["#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#17becf"];

    /// <summary>Writes NAME.svg for each trace that was replayed at two sizes at least.</summary>
    /// <returns>The files.</returns>
    public static List<string> Write(string folder, IReadOnlyList<Measurement> measurements)
    {
        Directory.CreateDirectory(folder);
        List<string> files = [];
        foreach (IGrouping<string, Measurement> trace in measurements.GroupBy(measured => measured.Row.Trace))
        {
            ReferenceRow[] rows = [.. trace.Select(measured => measured.Row).Distinct().OrderBy(row => row.CachePages)];
            if (rows.Length > 1)
            {
                string file = Path.Combine(folder, trace.Key + ".svg");
                File.WriteAllText(file, Of(trace.Key, rows, [.. trace]));
                files.Add(file);
            }
        }

        return files;
    }

    private static string Of(string trace, ReferenceRow[] rows, Measurement[] measurements)
    {
        double most = Math.Max(0.1, Math.Ceiling(rows.Max(row => row.Optimum) * 10) / 10);
        StringBuilder svg = new();
        svg.AppendLine($"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" font-family="sans-serif" font-size="12">""");
        svg.AppendLine($"""<rect width="{Width}" height="{Height}" fill="white"/>""");
        svg.AppendLine($"""<text x="{Left}" y="20" font-size="14">{trace}: hit ratio against pages in the cache</text>""");
        for (int i = 0; i <= 5; i++)
        {
            double ratio = most * i / 5;
            svg.AppendLine(Invariant($"""<line x1="{Left}" x2="{Right}" y1="{Y(ratio):F1}" y2="{Y(ratio):F1}" stroke="#ddd"/>"""));
            svg.AppendLine(Invariant($"""<text x="{Left - 6}" y="{Y(ratio) + 4:F1}" text-anchor="end">{ratio * 100:F0} %</text>"""));
        }

        foreach (ReferenceRow row in rows)
        {
            svg.AppendLine(Invariant($"""<text x="{X(row):F1}" y="{Bottom + 18}" text-anchor="middle">{row.CachePages}</text>"""));
        }

        int line = 0;
        Draw("optimum (Belady)", "#999", "2 3", row => row.Optimum);
        Draw("best of 14 online", "#333", "6 3", row => row.BestOnline);
        foreach (IGrouping<string, Measurement> policy in measurements.GroupBy(measured => measured.Policy.Name))
        {
            Dictionary<ReferenceRow, double> ratios = policy.ToDictionary(measured => measured.Row, measured => measured.HitRatio);
            Draw(policy.Key, Colours[(line - 2) % Colours.Length], "", row => ratios[row]);
        }

        return svg.AppendLine("</svg>").ToString();

        double X(ReferenceRow row) =>
            Left + ((Right - Left) * Math.Log((double)row.CachePages / rows[0].CachePages) / Math.Log((double)rows[^1].CachePages / rows[0].CachePages));

        double Y(double ratio) => Bottom - ((Bottom - Top) * ratio / most);

        void Draw(string name, string colour, string dashes, Func<ReferenceRow, double> ratioOf)
        {
            string points = string.Join(' ', rows.Select(row => Invariant($"{X(row):F1},{Y(ratioOf(row)):F1}")));
            int y = Top + 14 + (18 * line++);
            svg.AppendLine($"""<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>""");
            svg.AppendLine($"""<line x1="{Right + 14}" x2="{Right + 38}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>""");
            svg.AppendLine($"""<text x="{Right + 44}" y="{y}">{name}</text>""");
        }
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
