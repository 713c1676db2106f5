using System.Globalization;
using System.Text;

namespace SharedPageCache.Report;

/// <summary>Lines over a common axis, as SVG. Colours that stay apart for most colour-blind readers, and in grey.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="XLabel">The unit along.</param>
/// <param name="YLabel">The unit up.</param>
/// <param name="Series">The lines.</param>
internal sealed record Chart(string Title, string XLabel, string YLabel, IReadOnlyList<Chart.Line> Series)
{
    private static readonly string[] Colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555", "#8c564b"];

    /// <summary>Whether each step along is a factor.</summary>
    public bool IsXLogarithmic { get; init; }

    /// <summary>Whether each step up is a factor.</summary>
    public bool IsYLogarithmic { get; init; }

    /// <summary>The size without the names of the lines.</summary>
    public (int Width, int Height) Size { get; init; } = (560, 320);

    /// <summary>Whether the names of the lines stand beside it.</summary>
    public bool HasLegend { get; init; } = true;

    /// <summary>One line.</summary>
    /// <param name="Name">Its name.</param>
    /// <param name="Points">Its points, from left to right.</param>
    /// <param name="IsDashed">Whether it is a bound and no peer.</param>
    public sealed record Line(string Name, IReadOnlyList<(double X, double Y)> Points, bool IsDashed = false);

    /// <summary>A whole picture.</summary>
    public string ToSvg()
    {
        var width = Size.Width + (HasLegend ? 180 : 0);
        return Open(width, Size.Height) + Body() + "</svg>\n";
    }

    /// <summary>Several charts in rows, with the names of the lines once, below.</summary>
    public static string Grid(IReadOnlyList<Chart> charts, int columns)
    {
        var (width, height) = charts[0].Size;
        var rows = (charts.Count + columns - 1) / columns;
        var svg = new StringBuilder(Open(width * columns, (height * rows) + 30));
        for (var i = 0; i < charts.Count; i++)
        {
            svg.Append(Text($"<g transform=\"translate({i % columns * width},{i / columns * height})\">\n")).Append(charts[i].Body()).Append("</g>\n");
        }

        svg.Append(Text($"<g transform=\"translate(20,{height * rows})\">\n"));
        var x = 0;
        for (var i = 0; i < charts[0].Series.Count; i++)
        {
            svg.Append(Text($"<g transform=\"translate({x},0)\">{Key(charts[0].Series[i], i, 12)}</g>\n"));
            x += 50 + (charts[0].Series[i].Name.Length * 8);
        }

        return svg.Append("</g>\n</svg>\n").ToString();
    }

    private static string Open(int width, int height) => Text(
        $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n");

    private string Body()
    {
        var (left, right, top, bottom) = (62, Size.Width - 16, 34, Size.Height - 46);
        var points = Series.SelectMany(static line => line.Points).ToList();
        if (points.Count == 0)
        {
            return "";
        }

        var x = new Axis(points.Min(static point => point.X), points.Max(static point => point.X), IsXLogarithmic, fromZero: false);
        var y = new Axis(points.Min(static point => point.Y), points.Max(static point => point.Y), IsYLogarithmic, fromZero: true);
        var svg = new StringBuilder(Text($"<text x=\"{left}\" y=\"20\" font-size=\"14\" font-weight=\"600\" fill=\"#222222\">{Escape(Title)}</text>\n"));
        foreach (var tick in y.Ticks())
        {
            var at = bottom - (y.Of(tick) * (bottom - top));
            svg.Append(Text($"<line x1=\"{left}\" y1=\"{at:0.0}\" x2=\"{right}\" y2=\"{at:0.0}\" stroke=\"#e5e5e5\"/><text x=\"{left - 6}\" y=\"{at + 4:0.0}\" text-anchor=\"end\" fill=\"#555555\">{Short(tick)}</text>\n"));
        }

        foreach (var place in points.Select(static point => point.X).Distinct().Order().ToList() is { Count: <= 8 } few ? few : x.Ticks())
        {
            var at = left + (x.Of(place) * (right - left));
            svg.Append(Text($"<line x1=\"{at:0.0}\" y1=\"{bottom}\" x2=\"{at:0.0}\" y2=\"{bottom + 4}\" stroke=\"#888888\"/><text x=\"{at:0.0}\" y=\"{bottom + 17}\" text-anchor=\"middle\" fill=\"#555555\">{Short(place)}</text>\n"));
        }

        svg.Append(Text($"<line x1=\"{left}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\" stroke=\"#888888\"/>\n"));
        svg.Append(Text($"<text x=\"{(left + right) / 2}\" y=\"{Size.Height - 10}\" text-anchor=\"middle\" fill=\"#333333\">{Escape(XLabel)}</text>\n"));
        svg.Append(Text($"<text transform=\"translate(14,{(top + bottom) / 2}) rotate(-90)\" text-anchor=\"middle\" fill=\"#333333\">{Escape(YLabel)}</text>\n"));
        for (var i = 0; i < Series.Count; i++)
        {
            var line = Series[i];
            var path = string.Join(' ', line.Points.Select(point => Text($"{left + (x.Of(point.X) * (right - left)):0.0},{bottom - (y.Of(point.Y) * (bottom - top)):0.0}")));
            svg.Append(Text($"<polyline points=\"{path}\" fill=\"none\" stroke=\"{Colour(i)}\" stroke-width=\"2\" stroke-linejoin=\"round\"{Dashes(line)}/>\n"));
            foreach (var place in line.IsDashed ? [] : path.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                var at = place.Split(',');
                svg.Append(Text($"<circle cx=\"{at[0]}\" cy=\"{at[1]}\" r=\"2.8\" fill=\"{Colour(i)}\"/>"));
            }

            svg.Append('\n');
            if (HasLegend)
            {
                svg.Append(Text($"<g transform=\"translate({right + 18},{top + 10 + (i * 20)})\">{Key(line, i, 0)}</g>\n"));
            }
        }

        return svg.ToString();
    }

    private static string Key(Line line, int i, int y) => Text(
        $"<line x1=\"0\" y1=\"{y}\" x2=\"22\" y2=\"{y}\" stroke=\"{Colour(i)}\" stroke-width=\"2.5\"{Dashes(line)}/><text x=\"28\" y=\"{y + 4}\" fill=\"#222222\">{Escape(line.Name)}</text>");

    private static string Dashes(Line line) => line.IsDashed ? " stroke-dasharray=\"5 4\"" : "";

    private static string Colour(int i) => Colours[i % Colours.Length];

    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Short(double value) => value switch
    {
        >= 1e6 => Text($"{value / 1e6:0.##} M"),
        >= 10_000 => Text($"{value / 1000:0.#} k"),
        _ => Text($"{value:0.###}"),
    };

    /// <summary>Puts values on a scale from 0 to 1.</summary>
    private sealed class Axis
    {
        private readonly double _from;
        private readonly double _to;
        private readonly bool _isLogarithmic;
        private readonly double _step;

        public Axis(double least, double most, bool isLogarithmic, bool fromZero)
        {
            _isLogarithmic = isLogarithmic;
            if (isLogarithmic)
            {
                _from = fromZero ? Math.Pow(10, Math.Floor(Math.Log10(least))) : least;
                _to = fromZero ? Math.Pow(10, Math.Ceiling(Math.Log10(most))) : most;
                return;
            }

            _from = fromZero ? 0 : least;
            var span = Math.Max(most - _from, 1e-9);
            var power = Math.Pow(10, Math.Floor(Math.Log10(span / 4)));
            _step = ((double[])[1, 2, 2.5, 5, 10]).Select(step => step * power).First(step => span / step <= 6);
            _to = fromZero ? Math.Ceiling(most / _step) * _step : most;
        }

        public double Of(double value) => _to <= _from ? 0.5
            : _isLogarithmic ? Math.Log(value / _from) / Math.Log(_to / _from)
            : (value - _from) / (_to - _from);

        public IEnumerable<double> Ticks()
        {
            if (_isLogarithmic)
            {
                for (var power = Math.Pow(10, Math.Ceiling(Math.Log10(_from) - 1e-9)); power <= _to * 1.0001; power *= 10)
                {
                    yield return power;
                }

                yield break;
            }

            for (var tick = Math.Ceiling(_from / _step) * _step; tick <= _to * 1.0001; tick += _step)
            {
                yield return tick;
            }
        }
    }
}
