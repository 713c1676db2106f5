namespace SharedPageCache.Schedules.Exploring;

/// <summary>A small concurrent program whose schedules are explored.</summary>
/// <param name="Name">What meets what.</param>
/// <param name="Make">Makes a fresh instance for each schedule, on the controlling thread; random programs use the seed.</param>
/// <param name="Bounded">Whether its schedules of up to two preemptions are enumerated too.</param>
internal sealed record Scenario(string Name, Func<ulong, Instance> Make, bool Bounded = false)
{
    public Scenario(string name, Func<Instance> make, bool Bounded = false)
        : this(name, _ => make(), Bounded)
    {
    }

    public override string ToString() => Name;
}

/// <summary>One instance of a scenario.</summary>
internal sealed class Instance
{
    public required Action[] Threads { get; init; }

    /// <summary>Called on the controlling thread when all threads have ended; throws if something is wrong.</summary>
    public Action Check { get; init; } = static () => { };

    /// <summary>Names an address of native memory for traces.</summary>
    public Func<nint, string?> NameOf { get; init; } = static _ => null;
}
