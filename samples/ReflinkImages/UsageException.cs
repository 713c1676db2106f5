namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>The command line asks for something that cannot be; the message says what would be right.</summary>
internal sealed class UsageException : Exception
{
    /// <summary>Makes an exception.</summary>
    /// <param name="message">What is wrong and what would be right.</param>
    public UsageException(string message)
        : base(message)
    {
    }
}
