using System.Buffers.Binary;

namespace SharedPageCache.TestKit.Logging;

/// <summary>
/// Where the log begins: one sector in one of two blocks, so that the older one is whole while the newer is written. An epoch
/// begins at each checkpoint; its records lie in the half of the log that the epoch before does not use.
/// </summary>
/// <param name="Epoch">Counted from 1.</param>
/// <param name="First">The number of its first record.</param>
/// <param name="PageSize">The engine's page size.</param>
internal readonly record struct LogHeader(long Epoch, Lsn First, int PageSize)
{
    private const ulong Magic = 0x31474F4C43505300;
    private const int Length = 32;

    public byte[] Encode(int blockSize)
    {
        var bytes = new byte[blockSize];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), Epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), First.Value);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(24), PageSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(28), LogRecord.Checksum(bytes.AsSpan(0, 28)));
        return bytes;
    }

    public static LogHeader? Decode(ReadOnlySpan<byte> bytes) =>
        BinaryPrimitives.ReadUInt64LittleEndian(bytes) == Magic
        && BinaryPrimitives.ReadUInt32LittleEndian(bytes[(Length - 4)..]) == LogRecord.Checksum(bytes[..(Length - 4)])
            ? new LogHeader(
                BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]),
                new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..])),
                BinaryPrimitives.ReadInt32LittleEndian(bytes[24..]))
            : null;
}
