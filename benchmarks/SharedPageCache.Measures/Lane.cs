namespace SharedPageCache.Measures;

/// <summary>One of several things that are measured in turn, round by round.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Operations">How many operations a batch does.</param>
/// <param name="Batch">
/// Does a batch. It is given a number that no other batch of the run has: where the work depends on what caches hold, each batch takes
/// other pages by it.
/// </param>
/// <param name="Prepare">What is done before each batch and not timed.</param>
public sealed record Lane(string Name, int Operations, Action<int> Batch, Action? Prepare = null)
{
    /// <summary>Does a batch and says itself how many nanoseconds an operation took: for several threads, which each have a clock.</summary>
    public Func<int, double>? Timed { get; init; }
}
