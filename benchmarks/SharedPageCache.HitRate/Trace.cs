using System.Buffers.Binary;
using System.IO.Compression;

namespace SharedPageCache.HitRate;

/// <summary>A trace of page references. Pages are numbered anew in the order of their first reference.</summary>
/// <param name="Name">The file's name without extension.</param>
/// <param name="Requests">The page of each request, in order.</param>
/// <param name="PageCount">How many different pages there are.</param>
internal sealed record Trace(string Name, int[] Requests, int PageCount)
{
    /// <summary>Reads NAME.u64.gz: gzip of little-endian unsigned 64-bit page numbers.</summary>
    public static Trace Read(string folder, string name)
    {
        using FileStream packed = File.OpenRead(Path.Combine(folder, name + ".u64.gz"));
        using GZipStream unpacked = new(packed, CompressionMode.Decompress);
        Dictionary<ulong, int> numbers = [];
        List<int> requests = [];
        byte[] entry = new byte[sizeof(ulong)];
        using BufferedStream buffered = new(unpacked, 1 << 16);
        int read;
        while ((read = buffered.ReadAtLeast(entry, entry.Length, throwOnEndOfStream: false)) == entry.Length)
        {
            ulong page = BinaryPrimitives.ReadUInt64LittleEndian(entry);
            if (!numbers.TryGetValue(page, out int number))
            {
                number = numbers.Count;
                numbers.Add(page, number);
            }

            requests.Add(number);
        }

        return read == 0
            ? new Trace(name, [.. requests], numbers.Count)
            : throw new InvalidDataException(
                $"{name}.u64.gz ends in the middle of a number: {read} bytes are left over.");
    }
}
