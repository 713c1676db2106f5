using SharedPageCache.Mappings;

namespace SharedPageCache.Faults;

/// <summary>
/// What becomes of a range that one file is to take over from another: whole pages are shared, the rest is copied.
/// </summary>
/// <remarks>
/// Pages can be shared if the range begins at the same place in a page of both files. Then those are shared that the range
/// covers, and the one in which the destination is going to end: what its page holds behind the end is not seen, and is
/// zeroed before the file grows.
/// </remarks>
/// <param name="SourceOffset">First byte in the source.</param>
/// <param name="Offset">First byte in the destination.</param>
/// <param name="Length">Length in bytes, clipped at the source's end.</param>
/// <param name="FileLength">The destination's length before.</param>
/// <param name="PageShift">Log2 of the page size.</param>
internal readonly record struct RangePlan(long SourceOffset, long Offset, long Length, long FileLength, int PageShift)
{
    /// <summary>The plan for the files as they are; inside both gates it holds.</summary>
    public static RangePlan Of(FileMapping source, long sourceOffset, FileMapping file, long offset, long length) => new(
        sourceOffset, offset, Math.Max(0, Math.Min(length, source.Tree.Length - sourceOffset)), file.Tree.Length, file.Volume.PageShift);

    public long End => Offset + Length;

    public long NewLength => Math.Max(FileLength, End);

    public bool Grows => End > FileLength;

    /// <summary>Whether pages of one file lie over pages of the other.</summary>
    public bool IsAligned => ((SourceOffset ^ Offset) & Mask) == 0;

    /// <summary>The first page of the destination that is shared; <see cref="EndShared"/> if none is.</summary>
    public long FirstShared => IsAligned ? Math.Min(Offset + Mask >> PageShift, EndShared) : EndShared;

    /// <summary>The page after the last one that is shared.</summary>
    public long EndShared => End >= FileLength ? EndPage : End >> PageShift;

    public bool Shares => FirstShared < EndShared;

    /// <summary>How many bytes of the range are in shared pages.</summary>
    public long SharedBytes => Shares ? Math.Min(EndShared << PageShift, End) - (FirstShared << PageShift) : 0;

    /// <summary>How many pages of the source lie before the page of the destination that shows the same.</summary>
    public long PageDelta => SourceOffset - Offset >> PageShift;

    public long FirstPage => Offset >> PageShift;

    /// <summary>The page after the last one of the range.</summary>
    public long EndPage => (End - 1 >> PageShift) + 1;

    /// <summary>How many pages of the destination are copied.</summary>
    public long CopiedPages => Length == 0 ? 0 : EndPage - FirstPage - (EndShared - FirstShared);

    /// <summary>Whether the page in which the destination ends now is going to be read behind that end.</summary>
    public bool ReadsBehindOldEnd => Grows && (FileLength & Mask) != 0 && !IsShared(FileLength >> PageShift);

    /// <summary>Whether the destination is going to end inside a page of the source.</summary>
    public bool EndsInSharedPage => (NewLength & Mask) != 0 && IsShared(NewLength >> PageShift);

    private long Mask => (1L << PageShift) - 1;

    public bool IsShared(long page) => FirstShared <= page && page < EndShared;

    /// <summary>The pages of the destination that are copied.</summary>
    public IEnumerable<long> Copied()
    {
        // Not page by page over what is shared: that may be terabytes.
        for (var page = FirstPage; page < (Shares ? FirstShared : EndPage); page++)
        {
            yield return page;
        }

        for (var page = EndShared; Shares && page < EndPage; page++)
        {
            yield return page;
        }
    }

    /// <summary>The part of the range that lies in a page of the destination, as bytes of the destination.</summary>
    public (long Start, long End) PartIn(long page) =>
        (Math.Max(Offset, page << PageShift), Math.Min(End, page + 1 << PageShift));

    /// <summary>The shared pages of which the source has the newest content on the device, as ranges of bytes.</summary>
    /// <param name="dirty">The pages of the source that are not, in order.</param>
    public SharedRange[] CleanRanges(List<(long Page, PageReference Reference)> dirty)
    {
        var ranges = new List<SharedRange>();
        var first = FirstShared;
        for (var i = 0; i <= dirty.Count; i++)
        {
            var end = i < dirty.Count ? dirty[i].Page - PageDelta : EndShared;
            if (end > first)
            {
                ranges.Add(new SharedRange(first + PageDelta << PageShift, first << PageShift, end - first << PageShift));
            }

            first = end + 1;
        }

        return [.. ranges];
    }
}
