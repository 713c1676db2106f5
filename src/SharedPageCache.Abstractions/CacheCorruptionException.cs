namespace SharedPageCache;

/// <summary>A self-check found an invariant of the cache broken: a bug in the library, or memory overwritten from outside.</summary>
public sealed class CacheCorruptionException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="violations">Each broken invariant, in words.</param>
    public CacheCorruptionException(IReadOnlyList<string> violations)
        : base($"{violations.Count} broken invariants: {string.Join("; ", violations.Take(8))}")
    {
        Violations = violations;
    }

    /// <summary>Each broken invariant, in words.</summary>
    public IReadOnlyList<string> Violations { get; }
}
