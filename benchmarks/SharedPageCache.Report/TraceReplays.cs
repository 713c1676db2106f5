using System.Collections.Concurrent;
using System.Text.Json;

namespace SharedPageCache.Report;

/// <summary>Runs the hit-rate house trace by trace, as many at a time as there are cores: these are counts, no times.</summary>
internal static class TraceReplays
{
    private const string House = "SharedPageCache.HitRate";

    /// <summary>Replays traces.</summary>
    /// <param name="repository">The checkout.</param>
    /// <param name="traces">The folder with the traces.</param>
    /// <param name="isTaken">Which traces, by their files.</param>
    /// <param name="options">Further options of the house.</param>
    /// <param name="rows">The property of its answer with the rows.</param>
    /// <param name="read">Reads one.</param>
    /// <returns>The rows in the order of the traces' names, and in each in that of the answer.</returns>
    public static IReadOnlyList<T> Run<T>(
        string repository, string traces, Func<FileInfo, bool> isTaken, IReadOnlyList<string> options, string rows, Func<JsonElement, T> read)
    {
        var found = new ConcurrentDictionary<string, List<T>>();
        var names = File.ReadLines(Path.Combine(traces, "reference.tsv")).Skip(1).Select(static line => line.Split('\t')[0]).Distinct()
            .Select(name => (Name: name, File: new FileInfo(Path.Combine(traces, $"{name}.u64.gz"))))
            .Where(trace => trace.File.Exists && isTaken(trace.File)).OrderByDescending(static trace => trace.File.Length).Select(static trace => trace.Name).ToList();
        Parallel.ForEach(
            Partitioner.Create(names, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            name =>
            {
                var json = Repository.RunHouse(
                    repository, House, ["--traces", Path.GetFullPath(traces), "--trace", name, "--json", .. options], showsProgress: false);
                found[name] = [.. JsonDocument.Parse(json).RootElement.GetProperty(rows).EnumerateArray().Select(read)];
                Console.WriteLine($"{name}: replayed {string.Join(' ', options)}");
            });
        return [.. found.OrderBy(static trace => trace.Key, StringComparer.Ordinal).SelectMany(static trace => trace.Value)];
    }
}
