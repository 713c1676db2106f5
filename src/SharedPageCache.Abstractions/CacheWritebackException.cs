namespace SharedPageCache;

/// <summary>
/// Written pages could not be made durable. They stay dirty and readable, and the next flush tries again; nothing is lost
/// as long as the process lives.
/// </summary>
public sealed class CacheWritebackException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="file">A file that shows the pages.</param>
    /// <param name="fileName">The file's name as given at open, or null.</param>
    /// <param name="offset">The byte offset of the first page in that file; -1 if the failure concerns the volume as a whole.</param>
    /// <param name="length">The length of the run in bytes.</param>
    /// <param name="step">The step that failed: "EnsureDurable", "Place", "write", "flush", "Publish", "Persist" or "Abandon".</param>
    /// <param name="reason">What went wrong, as a part of a sentence.</param>
    /// <param name="innerException">The engine's or the device's exception, if there was one.</param>
    public CacheWritebackException(
        FileId file, string? fileName, long offset, long length, string step, string reason, Exception? innerException = null)
        : base(
            offset < 0
                ? $"Cannot write back ({step}): {reason}"
                : $"Cannot write back {length} bytes at offset {offset} of file {fileName ?? file.ToString()} ({step}): {reason}",
            innerException)
    {
        File = file;
        FileName = fileName;
        Offset = offset;
        Length = length;
        Step = step;
    }

    /// <summary>A file that shows the pages.</summary>
    public FileId File { get; }

    /// <summary>The file's name as given at open, or null.</summary>
    public string? FileName { get; }

    /// <summary>The byte offset of the first page in the file; -1 if the failure concerns the volume as a whole.</summary>
    public long Offset { get; }

    /// <summary>The length of the run in bytes.</summary>
    public long Length { get; }

    /// <summary>The step that failed.</summary>
    public string Step { get; }
}
