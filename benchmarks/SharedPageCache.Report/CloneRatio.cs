using System.Text.Json;

namespace SharedPageCache.Report;

/// <summary>Hit ratios of one policy on the synthetic clones of a trace, 0 to 1: clones as they are, with sharers that weigh, and each with all its blocks to itself.</summary>
internal sealed record CloneRatio(string Trace, int CachePages, string Policy, double Shared, double SharedWeighed, double PerFile)
{
    /// <summary>Traces that are larger than this, packed, are left out: each is replayed sixty times.</summary>
    private const long LargestTrace = 64 << 10;

    /// <summary>Replays the clones of all traces that are small enough, as many at a time as there are cores.</summary>
    public static IReadOnlyList<CloneRatio> Measure(string repository, string traces) =>
        TraceReplays.Run(repository, traces, file => file.Length <= LargestTrace, ["--clones"], "clones", static row => new CloneRatio(
            row.GetProperty("trace").GetString()!, row.GetProperty("cache_pages").GetInt32(), row.GetProperty("policy").GetString()!,
            row.GetProperty("shared").GetDouble(), row.GetProperty("shared_weighed").GetDouble(), row.GetProperty("per_file").GetDouble()));
}
