namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What <see cref="HalfCapacityLeg"/> found.</summary>
/// <param name="CapacityBytes">The memory that each cache had, in bytes, pages and book-keeping together.</param>
/// <param name="Shared">The cache that knows about clones.</param>
/// <param name="PerFileLru">The baseline.</param>
internal sealed record HalfFigures(long CapacityBytes, CacheFigures Shared, CacheFigures PerFileLru)
{
    /// <summary>Whether every byte that either cache gave was compared and is right.</summary>
    public bool Verified => Shared.Verified && PerFileLru.Verified;
}
