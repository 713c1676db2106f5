namespace SharedPageCache.TestKit.Models;

/// <summary>What a <see cref="ModelRun"/> has done.</summary>
public sealed record ModelFigures
{
    /// <summary>The seed of the run.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Steps done.</summary>
    public long Operations { get; init; }

    /// <summary>Histories done: each had a seed, a shape and a cache of its own.</summary>
    public long Histories { get; init; }

    /// <summary>Bytes compared with the model's.</summary>
    public long BytesCompared { get; init; }

    /// <summary>Operations that were to be refused, and were.</summary>
    public long Refusals { get; init; }

    /// <summary>How often a cache has checked itself.</summary>
    public long Verifications { get; init; }

    /// <summary>How often each <see cref="ModelOperation"/> was chosen.</summary>
    public IReadOnlyDictionary<ModelOperation, long> Chosen { get; init; } = new Dictionary<ModelOperation, long>();

    /// <summary>How long it took.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>The first failure, or null.</summary>
    public ModelFailure? Failure { get; init; }
}

/// <summary>A history that failed.</summary>
/// <param name="Message">What was wrong.</param>
/// <param name="Replay">What <see cref="ModelRun.Replay"/> takes to run it again: the seed, and the steps that are needed.</param>
/// <param name="Story">These steps in words.</param>
/// <param name="IsShrunk">Whether it failed again with fewer steps; false if it did not fail a second time.</param>
public sealed record ModelFailure(string Message, string Replay, IReadOnlyList<string> Story, bool IsShrunk)
{
    /// <inheritdoc/>
    public override string ToString() => string.Join(
        Environment.NewLine,
        [Message, .. Story, IsShrunk ? $"replay: {Replay}" : $"It did not fail again with the same steps. replay: {Replay}"]);
}
