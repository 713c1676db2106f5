using System.Text.Json;
using SharedPageCache.Measures;

namespace SharedPageCache.Report;

/// <summary>All figures of one run.</summary>
/// <param name="Bars">Of the benchmark house.</param>
/// <param name="Throughput">Of the throughput house.</param>
/// <param name="HitRatios">Of the hit-rate house; none without traces.</param>
/// <param name="CloneRatios">The same of synthetic clones of the smaller traces.</param>
internal sealed record RunFigures(House Bars, House Throughput, IReadOnlyList<HitRatio> HitRatios, IReadOnlyList<CloneRatio> CloneRatios)
{
    /// <summary>What failed, in words.</summary>
    public IReadOnlyList<string> Failures { get; private init; } = [];

    /// <summary>All figures of both houses.</summary>
    public IEnumerable<Figure> Figures => Bars.Figures.Concat(Throughput.Figures);

    /// <summary>Runs the houses, but for those whose figures are in the folder already.</summary>
    /// <param name="repository">The checkout.</param>
    /// <param name="folder">Where figures are kept, house by house: a run that was stopped goes on where it was.</param>
    /// <param name="passed">Options that the houses share.</param>
    /// <param name="traces">The folder with the traces, or null.</param>
    public static RunFigures Measure(string repository, string folder, IReadOnlyList<string> passed, string? traces)
    {
        var failures = new List<string>();
        var bars = Run("benchmarks.json", "SharedPageCache.Benchmarks");
        var throughput = Run("throughput.json", "SharedPageCache.Throughput");
        var (hits, clones) = (Replayed("hit-ratios.json", HitRatio.Measure), Replayed("clone-ratios.json", CloneRatio.Measure));
        return new RunFigures(bars, throughput, hits, clones) { Failures = [.. failures, .. bars.Failures, .. throughput.Failures] };

        // What fails is told on the page, and the rest is there.
        House Run(string name, string house)
        {
            try
            {
                return House.FromJson(Keep(name, () => Repository.RunHouse(repository, house, ["--json", .. passed], showsProgress: true)));
            }
            catch (InvalidOperationException error)
            {
                failures.Add(error.Message);
                return new House(house, Machine.Now(), [], []);
            }
        }

        IReadOnlyList<T> Replayed<T>(string name, Func<string, string, IReadOnlyList<T>> measure)
        {
            if (traces is null && !File.Exists(PathOf(name)))
            {
                return [];
            }

            try
            {
                return JsonSerializer.Deserialize<List<T>>(Keep(name, () => JsonSerializer.Serialize(measure(repository, traces!))))!;
            }
            catch (AggregateException error)
            {
                failures.Add($"{name}: {error.InnerExceptions[0].Message}");
                return [];
            }
        }

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
