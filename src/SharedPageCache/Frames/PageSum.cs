using System.Buffers.Binary;
using System.Numerics;

namespace SharedPageCache.Frames;

/// <summary>A checksum of a page: CRC-32C, which processors compute. Finds any single burst of up to 32 changed bits.</summary>
internal static class PageSum
{
    public static uint Of(ReadOnlySpan<byte> page)
    {
        var crc = uint.MaxValue;
        for (; page.Length >= 8; page = page[8..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(page));
        }

        foreach (var value in page)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return crc;
    }
}
