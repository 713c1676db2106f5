namespace SharedPageCache.Reflink;

/// <summary>
/// A file was changed by somebody else after it was opened, so that its cached extents no longer describe it. Dispose the
/// handle and open the file again.
/// </summary>
/// <remarks>
/// <see cref="ReflinkStore.Open"/> and <see cref="ReflinkedFile.Revalidate"/> throw it as it is. A read of a
/// <see cref="MappedFile"/> throws <see cref="PageLoadException"/> or <see cref="ExtentMapException"/> with this exception
/// as the inner one.
/// </remarks>
public sealed class ReflinkFileChangedException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="path">The path under which the file was opened.</param>
    /// <param name="changes">What differs.</param>
    /// <param name="description">What differs, with the old and new values.</param>
    public ReflinkFileChangedException(string path, ReflinkChanges changes, string description)
        : base($"'{path}' is not the file that was opened: {description}. Dispose the handle and open it again.")
    {
        Path = path;
        Changes = changes;
    }

    /// <summary>The path under which the file was opened.</summary>
    public string Path { get; }

    /// <summary>What differs.</summary>
    public ReflinkChanges Changes { get; }
}
