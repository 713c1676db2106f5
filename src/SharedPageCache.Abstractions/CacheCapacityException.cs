namespace SharedPageCache;

/// <summary>The cache's memory limit leaves no room for what was asked: metadata, or one more lease.</summary>
public sealed class CacheCapacityException : InvalidOperationException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">What was asked, and the numbers.</param>
    public CacheCapacityException(string message)
        : base(message)
    {
    }
}
