using System.Text.Json;
using SharedPageCache.Measures;

namespace SharedPageCache.Report;

/// <summary>All figures of one run.</summary>
/// <param name="Bars">Of the benchmark house.</param>
/// <param name="Throughput">Of the throughput house.</param>
/// <param name="HitRatios">Of the hit-rate house; none without traces.</param>
internal sealed record RunFigures(House Bars, House Throughput, IReadOnlyList<HitRatio> HitRatios)
{
    /// <summary>Runs the houses, but for those whose figures are in the folder already.</summary>
    /// <param name="repository">The checkout.</param>
    /// <param name="folder">Where figures are kept, house by house: a run that was stopped goes on where it was.</param>
    /// <param name="passed">Options that the houses share.</param>
    /// <param name="traces">The folder with the traces, or null.</param>
    public static RunFigures Measure(string repository, string folder, IReadOnlyList<string> passed, string? traces)
    {
        var bars = Keep("benchmarks.json", () => Repository.RunHouse(repository, "SharedPageCache.Benchmarks", ["--json", .. passed], showsProgress: true));
        var throughput = Keep("throughput.json", () => Repository.RunHouse(repository, "SharedPageCache.Throughput", ["--json", .. passed], showsProgress: true));
        var ratios = traces is null && !File.Exists(PathOf("hit-ratios.json"))
            ? "[]"
            : Keep("hit-ratios.json", () => JsonSerializer.Serialize(HitRatio.Measure(repository, traces!)));
        return new RunFigures(House.FromJson(bars), House.FromJson(throughput), JsonSerializer.Deserialize<List<HitRatio>>(ratios)!);

        string PathOf(string name) => Path.Combine(folder, name);

        string Keep(string name, Func<string> run)
        {
            if (!File.Exists(PathOf(name)))
            {
                File.WriteAllText(PathOf(name), run());
            }

            return File.ReadAllText(PathOf(name));
        }
    }
}
