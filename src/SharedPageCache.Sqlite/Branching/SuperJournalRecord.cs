using System.Buffers.Binary;
using System.Text;

namespace SharedPageCache.Sqlite.Branching;

/// <summary>
/// The record at the end of a rollback journal that names the super-journal: while that exists, a transaction over several
/// databases has not been committed (https://sqlite.org/fileformat2.html, "The Rollback Journal").
/// </summary>
/// <param name="Name">The name of the super-journal.</param>
/// <param name="Start">Where the record begins in the journal.</param>
internal readonly record struct SuperJournalRecord(string Name, long Start)
{
    private const int PageNumberBytes = 4;
    private const int TailBytes = 16;

    private static ReadOnlySpan<byte> Magic => [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

    /// <summary>Looks at the end of a journal: name, its length, the sum of its bytes, and the magic number of journals.</summary>
    public static SuperJournalRecord? Find(MappedFile journal)
    {
        Span<byte> tail = stackalloc byte[TailBytes];
        var end = journal.Length;
        if (end < TailBytes || journal.Read(end - TailBytes, tail) < TailBytes || !tail[8..].SequenceEqual(Magic))
        {
            return null;
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(tail);
        var sum = BinaryPrimitives.ReadUInt32BigEndian(tail[4..]);
        if (length is 0 or > 4096 || length + TailBytes + PageNumberBytes > end)
        {
            return null;
        }

        Span<byte> name = new byte[length];
        var start = end - TailBytes - length;
        journal.Read(start, name);
        foreach (var each in name)
        {
            sum -= (uint)(sbyte)each;
        }

        return sum == 0 ? new SuperJournalRecord(Encoding.UTF8.GetString(name), start - PageNumberBytes) : null;
    }
}
