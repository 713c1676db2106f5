namespace SharedPageCache.Faults;

/// <summary>What a page holds after a write: old bytes, new bytes, and zeros behind the end of the file.</summary>
internal static class PageContent
{
    /// <summary>Makes the content of a page in a frame that nobody sees yet.</summary>
    /// <param name="page">The frame's bytes; foreign before.</param>
    /// <param name="source">The old bytes; none if the page reads zero.</param>
    /// <param name="isWhole">Whether nothing of the old bytes stays.</param>
    /// <param name="pageStart">The page's first byte in the file.</param>
    /// <param name="fileLength">The file's length.</param>
    /// <param name="offset">Where the new bytes begin in the file.</param>
    /// <param name="bytes">The new bytes.</param>
    public static void Compose(
        Span<byte> page, ReadOnlySpan<byte> source, bool isWhole, long pageStart, long fileLength, long offset,
        ReadOnlySpan<byte> bytes)
    {
        if (!source.IsEmpty)
        {
            // Nothing moves if a frame was taken over with its content.
            source.CopyTo(page);
        }
        else if (!isWhole)
        {
            page.Clear();
        }

        // Behind the file's end a page holds zeros, so that a longer file finds them.
        if (fileLength - pageStart < page.Length)
        {
            page[(int)Math.Max(0, fileLength - pageStart)..].Clear();
        }

        Overlay(page, pageStart, offset, bytes);
    }

    /// <summary>Copies the part of new bytes that lies in a page.</summary>
    public static void Overlay(Span<byte> page, long pageStart, long offset, ReadOnlySpan<byte> bytes)
    {
        var start = pageStart - offset;
        var from = (int)Math.Max(0, start);
        var to = (int)Math.Min(bytes.Length, start + page.Length);
        if (to > from)
        {
            bytes[from..to].CopyTo(page[(int)(from - start)..]);
        }
    }
}
