namespace SharedPageCache.Reflink;

/// <summary>A list of buffers seen as one run of bytes.</summary>
internal static class BufferList
{
    /// <summary>The sum of the lengths.</summary>
    public static int TotalLength(this IReadOnlyList<Memory<byte>> buffers)
    {
        var total = 0;
        for (var i = 0; i < buffers.Count; i++)
        {
            total = checked(total + buffers[i].Length);
        }

        return total;
    }

    /// <summary>Zeroes all bytes from a position on.</summary>
    public static void ClearFrom(this IReadOnlyList<Memory<byte>> buffers, int position)
    {
        for (var i = 0; i < buffers.Count; i++)
        {
            var buffer = buffers[i].Span;
            buffer[Math.Min(position, buffer.Length)..].Clear();
            position = Math.Max(0, position - buffer.Length);
        }
    }

    /// <summary>Copies bytes into the buffers, from the first on.</summary>
    public static void CopyFrom(this IReadOnlyList<Memory<byte>> buffers, ReadOnlySpan<byte> source)
    {
        for (var i = 0; i < buffers.Count && source.Length > 0; i++)
        {
            var part = Math.Min(source.Length, buffers[i].Length);
            source[..part].CopyTo(buffers[i].Span);
            source = source[part..];
        }
    }

    /// <summary>The first bytes of a list of buffers.</summary>
    public static List<Memory<byte>> First(this IReadOnlyList<Memory<byte>> buffers, long length)
    {
        var first = new List<Memory<byte>>(buffers.Count);
        for (var i = 0; i < buffers.Count && length > 0; i++)
        {
            first.Add(buffers[i][..(int)Math.Min(length, buffers[i].Length)]);
            length -= first[^1].Length;
        }

        return first;
    }

    /// <summary>The bytes [start, end) of a list of buffers.</summary>
    public static List<ReadOnlyMemory<byte>> Part(this IReadOnlyList<ReadOnlyMemory<byte>> buffers, long start, long end)
    {
        var part = new List<ReadOnlyMemory<byte>>(buffers.Count);
        long at = 0;
        foreach (var buffer in buffers)
        {
            var (first, last) = (Math.Max(start - at, 0), Math.Min(end - at, buffer.Length));
            if (first < last)
            {
                part.Add(buffer[(int)first..(int)last]);
            }

            at += buffer.Length;
        }

        return part;
    }
}
