namespace SharedPageCache;

/// <summary>
/// A log sequence number in the volume's space: a page that carries one is not written to the device before the engine's
/// log is durable up to it.
/// </summary>
/// <param name="Value">The number; 0 means none.</param>
public readonly record struct Lsn(ulong Value) : IComparable<Lsn>
{
    /// <summary>No log record: the page may be written at any time.</summary>
    public static Lsn None => default;

    /// <inheritdoc/>
    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    /// <summary>Whether <paramref name="left"/> is older than <paramref name="right"/>.</summary>
    public static bool operator <(Lsn left, Lsn right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> is newer than <paramref name="right"/>.</summary>
    public static bool operator >(Lsn left, Lsn right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> is older than or equal to <paramref name="right"/>.</summary>
    public static bool operator <=(Lsn left, Lsn right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> is newer than or equal to <paramref name="right"/>.</summary>
    public static bool operator >=(Lsn left, Lsn right) => left.Value >= right.Value;

    /// <inheritdoc/>
    public override string ToString() => Value == 0 ? "no lsn" : $"lsn {Value}";
}
