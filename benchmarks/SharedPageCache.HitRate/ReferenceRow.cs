namespace SharedPageCache.HitRate;

/// <summary>Hit ratios of other implementations for one trace and cache size, 0 to 1.</summary>
/// <param name="Trace">The name of the trace.</param>
/// <param name="CachePages">The size of the cache in pages.</param>
/// <param name="Ratios">The ratio by column name.</param>
/// <param name="BestOnline">The best ratio of the policies that do not know the future.</param>
/// <param name="Optimum">The ratio of who does.</param>
internal sealed record ReferenceRow(
    string Trace, int CachePages, IReadOnlyDictionary<string, double> Ratios, double BestOnline, double Optimum);
