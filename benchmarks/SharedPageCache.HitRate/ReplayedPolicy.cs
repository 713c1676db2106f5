namespace SharedPageCache.HitRate;

/// <summary>A policy of the cache and the column of the reference table that it is compared with.</summary>
/// <param name="Name">Its name on the command line and in the output.</param>
/// <param name="Policy">The policy.</param>
/// <param name="Column">The same algorithm in the reference table.</param>
internal sealed record ReplayedPolicy(string Name, EvictionPolicy Policy, string Column)
{
    public static IReadOnlyList<ReplayedPolicy> All { get; } =
    [
        new("wtinylfu", EvictionPolicy.WindowTinyLfu, "BitFaster.ConcurrentLfu"),
        new("s3fifo", EvictionPolicy.S3Fifo, "S3FIFO"),
        new("sieve", EvictionPolicy.Sieve, "Sieve"),
        new("clock", EvictionPolicy.Clock, "Clock"),
        new("lru", EvictionPolicy.Lru, "LRU"),
    ];
}
