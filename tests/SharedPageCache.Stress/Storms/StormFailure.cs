namespace SharedPageCache.Stress.Storms;

/// <summary>Something that must never happen has happened.</summary>
internal sealed class StormFailure(string message, Exception? cause = null) : Exception(message, cause);
