namespace SharedPageCache;

/// <summary>
/// An engine's extents cannot be used: they overlap, are unaligned, lie outside the device, overflow, keep changing while
/// they are asked for, or asking for them failed. Nothing of the answer was used.
/// </summary>
public sealed class ExtentMapException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="file">The file whose extents were asked for.</param>
    /// <param name="fileName">The file's name as given at open, or null.</param>
    /// <param name="offset">First byte of the range that was asked for.</param>
    /// <param name="length">Length of that range in bytes.</param>
    /// <param name="reason">What is wrong, with the numbers.</param>
    /// <param name="innerException">The engine's exception, if there was one.</param>
    public ExtentMapException(
        FileId file, string? fileName, long offset, long length, string reason, Exception? innerException = null)
        : base($"The extents of file {fileName ?? file.ToString()} for [{offset}, {offset + length}) cannot be used: {reason}", innerException)
    {
        File = file;
        FileName = fileName;
        Offset = offset;
        Length = length;
    }

    /// <summary>The file whose extents were asked for.</summary>
    public FileId File { get; }

    /// <summary>The file's name as given at open, or null.</summary>
    public string? FileName { get; }

    /// <summary>First byte of the range that was asked for.</summary>
    public long Offset { get; }

    /// <summary>Length in bytes of the range that was asked for.</summary>
    public long Length { get; }
}
