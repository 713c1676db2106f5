using Spectre.Console;
using Spectre.Console.Rendering;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// A bar chart whose bars end on an eighth of a character: the smallest value is still to be seen beside the largest.
/// </summary>
internal sealed class BarRows : IRenderable
{
    private const int LabelWidth = 27;
    private const int ValueWidth = 12;
    private const string Eighths = "▏▎▍▌▋▊▉█";

    private readonly List<Row> _rows = [];
    private readonly Func<double, string> _text;
    private readonly double? _full;

    /// <summary>Makes an empty chart.</summary>
    /// <param name="text">Writes a value.</param>
    /// <param name="full">The value of the longest possible bar; null for the largest of the chart.</param>
    public BarRows(Func<double, string> text, double? full = null)
    {
        _text = text;
        _full = full;
    }

    /// <summary>Adds a bar.</summary>
    /// <param name="label">What it is.</param>
    /// <param name="value">How long it is, not negative.</param>
    /// <param name="style">Its colour.</param>
    /// <returns>The chart itself.</returns>
    public BarRows Add(string label, double value, Style style)
    {
        _rows.Add(new Row(label, value, style));
        return this;
    }

    /// <inheritdoc/>
    public Measurement Measure(RenderOptions options, int maxWidth) => new(maxWidth, maxWidth);

    /// <inheritdoc/>
    public IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
    {
        int barWidth = Math.Max(8, maxWidth - LabelWidth - ValueWidth);
        double full = _full ?? _rows.Max(row => row.Value);
        foreach (Row row in _rows)
        {
            yield return new Segment($"  {row.Label}".PadRight(LabelWidth));
            yield return new Segment(Bar(row.Value / full, barWidth, options.Unicode), row.Style);
            yield return new Segment($" {_text(row.Value)}");
            yield return Segment.LineBreak;
        }
    }

    private static string Bar(double part, int width, bool unicode)
    {
        if (!unicode)
            return new string('#', Math.Max(1, (int)Math.Round(part * width)));

        int eighths = Math.Clamp((int)Math.Round(part * width * 8), 1, width * 8);
        string whole = new('█', eighths / 8);
        return eighths % 8 == 0 ? whole : whole + Eighths[(eighths % 8) - 1];
    }

    private sealed record Row(string Label, double Value, Style Style);
}
