namespace SharedPageCache.TestKit.Devices;

/// <summary>Parts of lists of buffers.</summary>
internal static class BufferLists
{
    /// <summary>The first bytes of some buffers.</summary>
    public static List<Memory<byte>> First(this IReadOnlyList<Memory<byte>> buffers, int count)
    {
        var first = new List<Memory<byte>>();
        for (var i = 0; count > 0; count -= first[^1].Length, i++)
        {
            first.Add(buffers[i][..Math.Min(count, buffers[i].Length)]);
        }

        return first;
    }

    /// <inheritdoc cref="First(IReadOnlyList{Memory{byte}}, int)"/>
    public static List<ReadOnlyMemory<byte>> First(this IReadOnlyList<ReadOnlyMemory<byte>> buffers, int count)
    {
        var first = new List<ReadOnlyMemory<byte>>();
        for (var i = 0; count > 0; count -= first[^1].Length, i++)
        {
            first.Add(buffers[i][..Math.Min(count, buffers[i].Length)]);
        }

        return first;
    }
}
