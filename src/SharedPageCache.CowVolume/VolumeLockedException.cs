namespace SharedPageCache.Cow;

/// <summary>The volume's file is open already, in this process or in another one.</summary>
public sealed class VolumeLockedException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="path">The volume's file.</param>
    /// <param name="innerException">The system's answer.</param>
    public VolumeLockedException(string path, Exception innerException)
        : base($"The volume '{path}' is open already, in this process or in another one.", innerException)
    {
        Path = path;
    }

    /// <summary>The volume's file.</summary>
    public string Path { get; }
}
