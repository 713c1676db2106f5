namespace SharedPageCache.Reflink;

/// <summary>What was done to the shape of a file in memory and is to be done on the disk.</summary>
/// <param name="Kind">What.</param>
/// <param name="Offset">The first byte that is concerned; of a change of length, the length.</param>
/// <param name="Length">How many bytes; without meaning for a change of length.</param>
/// <param name="Loan">Where a range that is shared comes from.</param>
internal readonly record struct ShapeChange(ShapeChangeKind Kind, long Offset, long Length, RangeLoan? Loan = null)
{
    public static ShapeChange Delete => new(ShapeChangeKind.Delete, 0, long.MaxValue);

    public static ShapeChange Grow(long length) => new(ShapeChangeKind.Grow, length, 0);

    public static ShapeChange Cut(long length) => new(ShapeChangeKind.Cut, length, long.MaxValue - length);

    public static ShapeChange Punch(long offset, long length) => new(ShapeChangeKind.Punch, offset, length);

    public static ShapeChange Share(long offset, long length, RangeLoan loan) => new(ShapeChangeKind.Share, offset, length, loan);

    /// <summary>Whether it makes a range, or a part of it, what a range of another file is.</summary>
    public bool Shares(long start, long end) => Kind == ShapeChangeKind.Share && Offset < end && start < Offset + Length;

    /// <summary>Whether it is a cut that leaves a part of a range.</summary>
    public bool EndsInside(long start, long end) => Kind == ShapeChangeKind.Cut && start < Offset && Offset < end;

    /// <summary>The same change for the part of it that lies in a range.</summary>
    public ShapeChange Within(long start, long end)
    {
        var first = Math.Max(Offset, start);
        return this with { Offset = first, Length = Math.Min(Offset + Length, end) - first };
    }

    /// <summary>Whether it takes whole pages away from a range. A page that a cut leaves in part is not taken.</summary>
    /// <param name="offset">The first byte of the range.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="pageSize">The cache's page size.</param>
    public bool TakesFrom(long offset, long length, int pageSize)
    {
        var first = Kind == ShapeChangeKind.Cut ? (Offset + pageSize - 1) & -pageSize : Offset;
        return Length > 0 && first < offset + length && offset - first < Length;
    }
}
