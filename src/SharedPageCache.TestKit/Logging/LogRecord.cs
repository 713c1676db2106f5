using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace SharedPageCache.TestKit.Logging;

/// <summary>
/// One record of the log. On the device: length in all (4 bytes), CRC-32C of what follows (4), log number (8), epoch (8),
/// kind (1), payload; zeros to a multiple of 8, so that the length never lies in two blocks.
/// </summary>
/// <param name="Lsn">Its number.</param>
/// <param name="Kind">What it says.</param>
/// <param name="Payload">The rest.</param>
internal readonly record struct LogRecord(Lsn Lsn, LogRecordKind Kind, ReadOnlyMemory<byte> Payload)
{
    private const int HeaderLength = 25;
    private const int Alignment = 8;

    /// <summary>How many bytes a record takes up.</summary>
    public static int LengthOf(int payload) => (HeaderLength + payload + Alignment - 1) / Alignment * Alignment;

    /// <summary>The record as it is written.</summary>
    public static byte[] Encode(Lsn lsn, long epoch, LogRecordKind kind, ReadOnlySpan<byte> payload)
    {
        var bytes = new byte[LengthOf(payload.Length)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, HeaderLength + payload.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), lsn.Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), epoch);
        bytes[24] = (byte)kind;
        payload.CopyTo(bytes.AsSpan(HeaderLength));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), Checksum(bytes.AsSpan(8, HeaderLength - 8 + payload.Length)));
        return bytes;
    }

    /// <summary>
    /// Reads the records of an epoch from what is on the device: up to the first one that is torn, missing, or of another
    /// epoch. What was written behind it, and survived by luck, does not count.
    /// </summary>
    public static List<LogRecord> ReadAll(ReadOnlyMemory<byte> region, int blockSize, long epoch, Lsn first)
    {
        var records = new List<LogRecord>();
        var next = first;
        for (var at = 0; at < region.Length;)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(region.Span[at..]);
            if (length == 0 && at % blockSize != 0)
            {
                at = (at / blockSize + 1) * blockSize;
                continue;
            }

            if (length < HeaderLength || length > region.Length - at)
            {
                break;
            }

            var record = region.Slice(at, length);
            if (BinaryPrimitives.ReadUInt32LittleEndian(record.Span[4..]) != Checksum(record.Span[8..])
                || BinaryPrimitives.ReadUInt64LittleEndian(record.Span[8..]) != next.Value
                || BinaryPrimitives.ReadInt64LittleEndian(record.Span[16..]) != epoch)
            {
                break;
            }

            records.Add(new LogRecord(next, (LogRecordKind)record.Span[24], record[HeaderLength..]));
            next = new Lsn(next.Value + 1);
            at += LengthOf(length - HeaderLength);
        }

        return records;
    }

    /// <summary>CRC-32C.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = ~0u;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (var value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }

    /// <summary>Puts numbers and a name, or bytes, into a payload.</summary>
    public static byte[] Pack(ReadOnlySpan<long> numbers, ReadOnlySpan<byte> rest = default)
    {
        var payload = new byte[numbers.Length * 8 + rest.Length];
        for (var i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(payload.AsSpan(i * 8), numbers[i]);
        }

        rest.CopyTo(payload.AsSpan(numbers.Length * 8));
        return payload;
    }

    public static byte[] Pack(ReadOnlySpan<long> numbers, string name) => Pack(numbers, Encoding.UTF8.GetBytes(name));

    /// <summary>A number of the payload.</summary>
    public long Number(int index) => BinaryPrimitives.ReadInt64LittleEndian(Payload.Span[(index * 8)..]);

    /// <summary>What stands behind the numbers.</summary>
    public ReadOnlySpan<byte> Rest(int numbers) => Payload.Span[(numbers * 8)..];

    public string Name(int numbers) => Encoding.UTF8.GetString(Rest(numbers));
}
