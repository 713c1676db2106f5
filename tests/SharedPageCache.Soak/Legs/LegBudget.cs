namespace SharedPageCache.Soak.Legs;

/// <summary>When a leg has tried enough, and with which seed and how many threads it tries.</summary>
/// <param name="Count">How many of what it counts.</param>
/// <param name="Time">For how long it begins something new.</param>
internal sealed record LegBudget(long Count, TimeSpan Time)
{
    public ulong Seed { get; init; }

    public int Threads { get; init; } = 1;

    /// <summary>So many, in so many seconds.</summary>
    public static LegBudget Of(long count, double seconds) => new(count, TimeSpan.FromSeconds(seconds));
}
