namespace SharedPageCache.Soak.Legs;

/// <summary>What a leg has tried: counts that come from what ran.</summary>
/// <param name="Counts">How many of what, in the order in which they are told.</param>
/// <param name="Failure">The first thing that was wrong, or null.</param>
/// <param name="Replay">The line that shows it again, or null.</param>
internal sealed record LegReport(IReadOnlyList<KeyValuePair<string, long>> Counts, string? Failure = null, string? Replay = null)
{
    public double Seconds { get; init; }
}
