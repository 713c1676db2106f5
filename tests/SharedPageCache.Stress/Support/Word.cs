using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SharedPageCache.Stress.Support;

/// <summary>
/// The 8-byte words of test content. A word is a keyed, invertible mix of what it is: the serial number of the write that
/// made its block (which names volume, block and version) and its place in the block. So one look tells right from stale,
/// foreign, misplaced, torn and poisoned, and a wrong word says where it came from.
/// </summary>
internal static class Word
{
    /// <summary>Serial number 0 is content that reads zero.</summary>
    public const long Zero = 0;

    private const int IndexBits = 13;
    private const ulong Key = 0x5AFE_CAC4_EC10_9E5D;
    private const ulong Factor = 0x9E37_79B9_7F4A_7C15;

    /// <summary>The inverse of <see cref="Factor"/> modulo 2^64 (Newton's iteration).</summary>
    private static readonly ulong Inverse = InverseOf(Factor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(long serial, int index)
    {
        var word = ((ulong)serial << IndexBits | (uint)index) ^ Key;
        word *= Factor;
        word ^= word >> 32;
        return word * Factor;
    }

    /// <summary>What a word says that it is.</summary>
    public static string Explain(ulong word)
    {
        if (word == 0)
        {
            return "zero";
        }

        var plain = word * Inverse;
        plain ^= plain >> 32;
        plain = plain * Inverse ^ Key;
        var (serial, index) = ((long)(plain >> IndexBits), (int)(plain & ((1 << IndexBits) - 1)));
        return serial >> 40 == 0 ? $"word {index} of write {serial}" : $"no word of this test ({word:x16})";
    }

    /// <summary>The serial number that a word claims; meaningless if it is no word of a test.</summary>
    public static long SerialOf(ulong word)
    {
        var plain = word * Inverse;
        plain ^= plain >> 32;
        return (long)((plain * Inverse ^ Key) >> IndexBits);
    }

    /// <summary>Fills bytes of a block's content, from any byte of the block on.</summary>
    public static void Fill(Span<byte> bytes, long serial, int start)
    {
        if (serial == Zero)
        {
            bytes.Clear();
            return;
        }

        var index = start >> 3;
        var inWord = start & 7;
        if (inWord != 0)
        {
            var part = Math.Min(8 - inWord, bytes.Length);
            FillPart(bytes[..part], Of(serial, index), inWord);
            bytes = bytes[part..];
            index++;
        }

        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (var i = 0; i < words.Length; i++)
        {
            words[i] = Of(serial, index + i);
        }

        var rest = bytes[(words.Length * 8)..];
        if (!rest.IsEmpty)
        {
            FillPart(rest, Of(serial, index + words.Length), 0);
        }
    }

    /// <summary>Whether bytes are a piece of a block's content.</summary>
    public static bool Matches(ReadOnlySpan<byte> bytes, long serial, int start)
    {
        if (serial == Zero)
        {
            return bytes.IndexOfAnyExcept((byte)0) < 0;
        }

        var index = start >> 3;
        var inWord = start & 7;
        if (inWord != 0)
        {
            var part = Math.Min(8 - inWord, bytes.Length);
            if (!MatchesPart(bytes[..part], Of(serial, index), inWord))
            {
                return false;
            }

            bytes = bytes[part..];
            index++;
        }

        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (var i = 0; i < words.Length; i++)
        {
            if (words[i] != Of(serial, index + i))
            {
                return false;
            }
        }

        var rest = bytes[(words.Length * 8)..];
        return rest.IsEmpty || MatchesPart(rest, Of(serial, index + words.Length), 0);
    }

    private static void FillPart(Span<byte> bytes, ulong word, int from) =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in word)).Slice(from, bytes.Length).CopyTo(bytes);

    private static bool MatchesPart(ReadOnlySpan<byte> bytes, ulong word, int from) =>
        MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in word)).Slice(from, bytes.Length).SequenceEqual(bytes);

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
