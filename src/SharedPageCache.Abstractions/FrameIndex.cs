namespace SharedPageCache;

/// <summary>
/// The number of a frame: one page-sized slot of the cache's native memory. Two views that report the same frame at the
/// same time show the same bytes in memory, not merely equal ones.
/// </summary>
/// <param name="Value">Zero-based frame number inside one cache; -1 means no frame.</param>
public readonly record struct FrameIndex(int Value)
{
    /// <summary>No frame.</summary>
    public static FrameIndex None => new(-1);

    /// <summary>Whether this names a frame.</summary>
    public bool IsSome => Value >= 0;

    /// <inheritdoc/>
    public override string ToString() => Value < 0 ? "no frame" : $"frame {Value}";
}
