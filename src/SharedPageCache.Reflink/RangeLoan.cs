namespace SharedPageCache.Reflink;

/// <summary>
/// A range that a file shows and does not have yet: it is another file's, and is shared on the disk when what is queued for the file is done.
/// Until then it has a name, and is read from the snapshot that it was taken from.
/// </summary>
/// <param name="snapshot">Where the bytes are, and stay.</param>
/// <param name="name">The addresses that stand for the range. No other name touches them, so that no read goes beyond.</param>
/// <param name="generation">How often these addresses have been given out.</param>
/// <param name="offset">Where the range begins in the file.</param>
/// <param name="sourceOffset">Where it begins in the snapshot.</param>
internal sealed class RangeLoan(RangeSnapshot snapshot, BlockRun name, uint generation, long offset, long sourceOffset)
{
    public RangeSnapshot Snapshot => snapshot;

    public BlockRun Name => name;

    /// <summary>The extent of a part of the range.</summary>
    public Extent ExtentAt(long fileOffset, long length) =>
        new(fileOffset, length, name.Offset + (fileOffset - offset), ExtentFlags.None, generation);

    /// <summary>Where a byte of the file is in the snapshot.</summary>
    public long SourceOf(long fileOffset) => sourceOffset + (fileOffset - offset);
}
