namespace SharedPageCache;

/// <summary>
/// A page could not be read from its device. All who waited for the page get it; it is not cached, so the next read tries
/// again.
/// </summary>
public sealed class PageLoadException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="file">The file that the read was for.</param>
    /// <param name="fileName">The file's name as given at open, or null.</param>
    /// <param name="offset">The byte offset of the page in the file.</param>
    /// <param name="blocks">The blocks that could not be read, or <see cref="BlockRun.None"/>.</param>
    /// <param name="reason">What went wrong, as a part of a sentence.</param>
    /// <param name="innerException">The device's exception, if there was one.</param>
    public PageLoadException(
        FileId file, string? fileName, long offset, BlockRun blocks, string reason, Exception? innerException = null)
        : base($"Cannot load the page at offset {offset} of file {fileName ?? file.ToString()} from blocks {blocks}: {reason}", innerException)
    {
        File = file;
        FileName = fileName;
        Offset = offset;
        Blocks = blocks;
    }

    /// <summary>The file that the read was for.</summary>
    public FileId File { get; }

    /// <summary>The file's name as given at open, or null.</summary>
    public string? FileName { get; }

    /// <summary>The byte offset of the page in the file.</summary>
    public long Offset { get; }

    /// <summary>The blocks that could not be read, or <see cref="BlockRun.None"/> if the page has no address.</summary>
    public BlockRun Blocks { get; }
}
