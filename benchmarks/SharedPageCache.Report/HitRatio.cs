using System.Collections.Concurrent;
using System.Text.Json;

namespace SharedPageCache.Report;

/// <summary>The hit ratio of one policy on one trace at one cache size.</summary>
/// <param name="Trace">The trace.</param>
/// <param name="CachePages">The size in pages.</param>
/// <param name="Policy">The policy.</param>
/// <param name="Ratio">0 to 1.</param>
/// <param name="BestOnline">The best of the online policies in the reference table.</param>
/// <param name="Reference">The same algorithm in the reference table, or what comes next to it.</param>
internal sealed record HitRatio(string Trace, int CachePages, string Policy, double Ratio, double BestOnline, double Reference)
{
    private const string House = "SharedPageCache.HitRate";

    /// <summary>The best ratio minus this one, in points of 1 %.</summary>
    public double Regret => (BestOnline - Ratio) * 100;

    /// <summary>This ratio minus the reference's, in points of 1 %.</summary>
    public double Difference => (Ratio - Reference) * 100;

    /// <summary>Replays all traces, as many at a time as there are cores: these are counts, no times.</summary>
    public static IReadOnlyList<HitRatio> Measure(string repository, string traces)
    {
        var found = new ConcurrentBag<HitRatio>();
        var names = File.ReadLines(Path.Combine(traces, "reference.tsv")).Skip(1).Select(static line => line.Split('\t')[0]).Distinct()
            .OrderByDescending(name => new FileInfo(Path.Combine(traces, $"{name}.u64.gz")) is { Exists: true } file ? file.Length : 0).ToList();
        Parallel.ForEach(
            Partitioner.Create(names, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            name =>
            {
                var json = Repository.RunHouse(
                    repository, House, ["--traces", Path.GetFullPath(traces), "--trace", name, "--json"], showsProgress: false);
                foreach (var row in JsonDocument.Parse(json).RootElement.GetProperty("rows").EnumerateArray())
                {
                    found.Add(new HitRatio(
                        row.GetProperty("trace").GetString()!, row.GetProperty("cache_pages").GetInt32(), row.GetProperty("policy").GetString()!,
                        row.GetProperty("hit_ratio").GetDouble(), row.GetProperty("best_online").GetDouble(), row.GetProperty("reference").GetDouble()));
                }

                Console.WriteLine($"{name}: replayed");
            });
        return [.. found.OrderBy(static row => row.Trace, StringComparer.Ordinal).ThenBy(static row => row.CachePages).ThenBy(static row => row.Policy, StringComparer.Ordinal)];
    }
}
