using System.Numerics;
using System.Runtime.InteropServices;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>A hash that is faster than the copy it checks, so that every byte of every clone can be compared.</summary>
/// <remarks>
/// Four CRC-32C lanes over every fourth word. One lane would wait three cycles for each instruction; four lanes keep
/// the unit busy, and together they make 128 bits. It finds faults, not forgers.
/// </remarks>
internal static class ChunkHash
{
    /// <summary>The bytes that are hashed together: the unit in which images are compared.</summary>
    public const int ChunkBytes = 64 << 10;

    /// <summary>Hashes a chunk.</summary>
    /// <param name="chunk">The bytes; their number is a multiple of 32.</param>
    public static UInt128 Of(ReadOnlySpan<byte> chunk)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(chunk);
        uint a = 0x9E37_79B9, b = 0x7F4A_7C15, c = 0xF39C_C060, d = 0x5CED_C834;
        for (int i = 0; i <= words.Length - 4; i += 4)
        {
            a = BitOperations.Crc32C(a, words[i]);
            b = BitOperations.Crc32C(b, words[i + 1]);
            c = BitOperations.Crc32C(c, words[i + 2]);
            d = BitOperations.Crc32C(d, words[i + 3]);
        }

        return new UInt128(((ulong)a << 32) | b, ((ulong)c << 32) | d);
    }
}
