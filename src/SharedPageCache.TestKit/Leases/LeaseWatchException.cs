namespace SharedPageCache.TestKit.Leases;

/// <summary>A test has left leases, or misused some.</summary>
public sealed class LeaseWatchException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">All of it in words.</param>
    /// <param name="held">Leases that have not ended.</param>
    /// <param name="found">Misuses.</param>
    public LeaseWatchException(string message, IReadOnlyList<PageHolder> held, IReadOnlyList<CacheMisuse> found)
        : base(message)
    {
        Held = held;
        Found = found;
    }

    /// <summary>Leases that have not ended.</summary>
    public IReadOnlyList<PageHolder> Held { get; }

    /// <summary>Misuses that were found.</summary>
    public IReadOnlyList<CacheMisuse> Found { get; }
}
