namespace SharedPageCache;

/// <summary>The position of a page in a file, counted in pages of the cache's page size.</summary>
/// <param name="Value">Zero-based page number; never negative in a valid index.</param>
public readonly record struct PageIndex(long Value) : IComparable<PageIndex>
{
    /// <inheritdoc/>
    public int CompareTo(PageIndex other) => Value.CompareTo(other.Value);

    /// <summary>Whether <paramref name="left"/> lies before <paramref name="right"/>.</summary>
    public static bool operator <(PageIndex left, PageIndex right) => left.Value < right.Value;

    /// <summary>Whether <paramref name="left"/> lies after <paramref name="right"/>.</summary>
    public static bool operator >(PageIndex left, PageIndex right) => left.Value > right.Value;

    /// <summary>Whether <paramref name="left"/> lies before or at <paramref name="right"/>.</summary>
    public static bool operator <=(PageIndex left, PageIndex right) => left.Value <= right.Value;

    /// <summary>Whether <paramref name="left"/> lies after or at <paramref name="right"/>.</summary>
    public static bool operator >=(PageIndex left, PageIndex right) => left.Value >= right.Value;

    /// <inheritdoc/>
    public override string ToString() => $"page {Value}";
}
