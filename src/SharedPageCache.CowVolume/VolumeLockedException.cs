namespace SharedPageCache.Cow;

/// <summary>The volume's file is open already, in this process or in another one.</summary>
public sealed class VolumeLockedException : IOException
{
    /// <summary>Makes the exception. Its message says which process has the file open, if that can be found out.</summary>
    /// <param name="path">The volume's file, or a directory with a locked file in it.</param>
    /// <param name="innerException">The system's answer.</param>
    public VolumeLockedException(string path, Exception innerException)
        : base($"The volume '{path}' is open already, {OpenElsewhere.Find(path)}.", innerException)
    {
        Path = path;
    }

    /// <summary>The volume's file.</summary>
    public string Path { get; }
}
