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
    /// <summary>The best ratio minus this one, in points of 1 %.</summary>
    public double Regret => (BestOnline - Ratio) * 100;

    /// <summary>This ratio minus the reference's, in points of 1 %.</summary>
    public double Difference => (Ratio - Reference) * 100;

    /// <summary>Replays all traces.</summary>
    public static IReadOnlyList<HitRatio> Measure(string repository, string traces) =>
        [.. TraceReplays.Run(repository, traces, static _ => true, [], "rows", static row => new HitRatio(
            row.GetProperty("trace").GetString()!, row.GetProperty("cache_pages").GetInt32(), row.GetProperty("policy").GetString()!,
            row.GetProperty("hit_ratio").GetDouble(), row.GetProperty("best_online").GetDouble(), row.GetProperty("reference").GetDouble()))
            .OrderBy(static row => row.Trace, StringComparer.Ordinal).ThenBy(static row => row.CachePages).ThenBy(static row => row.Policy, StringComparer.Ordinal)];
}
