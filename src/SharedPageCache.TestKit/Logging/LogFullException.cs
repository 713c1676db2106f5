namespace SharedPageCache.TestKit.Logging;

/// <summary>The log has no room for a record: a checkpoint is due, or the log is too small for what is dirty.</summary>
public sealed class LogFullException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="needed">How many bytes the record takes up.</param>
    /// <param name="left">How many there are.</param>
    public LogFullException(long needed, long left)
        : base($"The log has {left} bytes left, and a record needs {needed}.")
    {
    }
}
