namespace SharedPageCache.TestKit.Models;

/// <summary>A file was not what its model says, or an operation did what it must not.</summary>
/// <param name="message">What was wrong, at which step of which history.</param>
/// <param name="cause">The exception that came instead of an answer, or null.</param>
public sealed class ModelFailureException(string message, Exception? cause = null) : Exception(message, cause);
