using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace SharedPageCache.TestKit.Words;

/// <summary>
/// The 8-byte words of test content. A word is a keyed, invertible mix of what it is: the serial number of the write that
/// made its block (which names volume, block and version) and its place in the block. So one look tells right from stale,
/// foreign, misplaced, torn and poisoned, and a wrong word says where it came from.
/// </summary>
/// <remarks>A serial number is what a test makes of it; <see cref="PageTag"/> packs domain, lineage, page and version into one.</remarks>
public static class Word
{
    /// <summary>Serial number 0 is content that reads zero.</summary>
    public const long Zero = 0;

    /// <summary>Serial numbers are below 2 to this.</summary>
    public const int SerialBits = 64 - IndexBits;

    private const int IndexBits = 13;
    private const ulong Key = 0x5AFE_CAC4_EC10_9E5D;
    private const ulong Factor = 0x9E37_79B9_7F4A_7C15;

    /// <summary>The inverse of <see cref="Factor"/> modulo 2^64 (Newton's iteration).</summary>
    private static readonly ulong Inverse = InverseOf(Factor);

    /// <summary>The word at a place of a block.</summary>
    /// <param name="serial">The serial number of the write.</param>
    /// <param name="index">Which word of the block, 0 to 8,191.</param>
    /// <returns>The word.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(long serial, int index)
    {
        var word = ((ulong)serial << IndexBits | (uint)index) ^ Key;
        word *= Factor;
        word ^= word >> 32;
        return word * Factor;
    }

    /// <summary>What a word says that it is, if serial numbers are counted up from 1 and stay below 2^40.</summary>
    /// <param name="word">The word.</param>
    /// <returns>In words.</returns>
    public static string Explain(ulong word)
    {
        if (word == 0)
        {
            return "zero";
        }

        var (serial, index) = Read(word);
        return serial >> 40 == 0 ? $"word {index} of write {serial}" : $"no word of this test ({word:x16})";
    }

    /// <summary>The serial number that a word claims; meaningless if it is no word of a test.</summary>
    /// <param name="word">The word.</param>
    /// <returns>The serial number.</returns>
    public static long SerialOf(ulong word) => Read(word).Serial;

    /// <summary>What a word claims: the serial number of its write and its place in the block.</summary>
    /// <param name="word">The word.</param>
    /// <returns>Both; meaningless if it is no word of a test.</returns>
    public static (long Serial, int Index) Read(ulong word)
    {
        var plain = word * Inverse;
        plain ^= plain >> 32;
        plain = plain * Inverse ^ Key;
        return ((long)(plain >> IndexBits), (int)(plain & ((1 << IndexBits) - 1)));
    }

    /// <summary>Fills bytes of a block's content, from any byte of the block on.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="serial">The serial number of the write; <see cref="Zero"/> clears them.</param>
    /// <param name="start">Which byte of the block the first one is.</param>
    public static void Fill(Span<byte> bytes, long serial, int start)
    {
        if (serial == Zero)
        {
            bytes.Clear();
            return;
        }

        Span<byte> word = stackalloc byte[8];
        for (var index = start >> 3; !bytes.IsEmpty; index++, start = 0)
        {
            var inWord = start & 7;
            if (inWord == 0 && bytes.Length >= 8)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bytes, Of(serial, index));
                bytes = bytes[8..];
                continue;
            }

            var part = Math.Min(8 - inWord, bytes.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(word, Of(serial, index));
            word.Slice(inWord, part).CopyTo(bytes);
            bytes = bytes[part..];
        }
    }

    /// <summary>Whether bytes are a piece of a block's content.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="serial">The serial number of the write.</param>
    /// <param name="start">Which byte of the block the first one is.</param>
    /// <returns>Whether every one of them is right.</returns>
    public static bool Matches(ReadOnlySpan<byte> bytes, long serial, int start)
    {
        if (serial == Zero)
        {
            return bytes.IndexOfAnyExcept((byte)0) < 0;
        }

        Span<byte> word = stackalloc byte[8];
        for (var index = start >> 3; !bytes.IsEmpty; index++, start = 0)
        {
            var inWord = start & 7;
            var part = Math.Min(8 - inWord, bytes.Length);
            if (part == 8)
            {
                if (BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Of(serial, index))
                {
                    return false;
                }
            }
            else
            {
                BinaryPrimitives.WriteUInt64LittleEndian(word, Of(serial, index));
                if (!word.Slice(inWord, part).SequenceEqual(bytes[..part]))
                {
                    return false;
                }
            }

            bytes = bytes[part..];
        }

        return true;
    }

    private static ulong InverseOf(ulong odd)
    {
        var inverse = odd;
        for (var i = 0; i < 6; i++)
        {
            inverse *= 2 - odd * inverse;
        }

        return inverse;
    }
}
