using System.Globalization;
using System.Text.Json;

namespace SharedPageCache.Measures;

/// <summary>What one run of a benchmark house has found, on its way to the screen or to whoever makes tables of it.</summary>
/// <param name="Name">The house.</param>
/// <param name="Machine">Where it ran.</param>
/// <param name="Figures">What it found.</param>
/// <param name="Failures">Groups of figures that failed, with what was wrong.</param>
public sealed record House(string Name, Machine Machine, IReadOnlyList<Figure> Figures, IReadOnlyList<string> Failures)
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true, NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>As JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_json);

    /// <summary>From JSON.</summary>
    public static House FromJson(string json) =>
        JsonSerializer.Deserialize<House>(json, s_json) ?? throw new InvalidDataException("No figures.");

    /// <summary>Writes one figure as a line.</summary>
    public static void WriteLine(TextWriter output, Figure figure)
    {
        var bar = figure.Bar is null ? "" : $"{figure.Bar} {(figure.Bar.IsMetBy(figure.Value) ? "met" : "MISSED")}";
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{figure.What,-52} {figure.Subject,-26} {figure.Value,11:0.00} {figure.Unit,-8} {bar,-18} {figure.Detail}"));
    }
}
