using System.Runtime.InteropServices;

namespace SharedPageCache.Schedules.World;

/// <summary>What a sector of the device holds: which sector it is and in which version, or zeros.</summary>
/// <param name="Number">The sector's number, or -1 for zeros.</param>
/// <param name="Version">How often it was written.</param>
internal readonly record struct Sector(long Number, int Version)
{
    public const int Size = 512;

    private const ulong Mix = 0x9E3779B97F4A7C15;

    public static Sector Zero => new(-1, 0);

    /// <summary>Every word names the sector, the version and its own place, with a check that no other bytes pass.</summary>
    public void CopyTo(Span<byte> bytes, int from, int to)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (var i = from; i < to; i++)
        {
            words[i] = Word(i);
        }
    }

    /// <summary>Reads back what a sector-sized piece of memory, or a part of a sector, holds.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="place">The place of the first word in its sector.</param>
    /// <exception cref="TornException">The words do not belong together.</exception>
    public static Sector Of(ReadOnlySpan<byte> bytes, int place = 0)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        var first = words[0];
        var sector = first == 0 ? Zero : new Sector((long)(first >> 40), (int)(first >> 28 & 0xFFF));
        for (var i = 0; i < words.Length; i++)
        {
            if (words[i] != sector.Word(place + i))
            {
                throw new TornException($"bytes begin as {sector}, but word {i} is 0x{words[i]:x} (sector {words[i] >> 40} version {words[i] >> 28 & 0xFFF})");
            }
        }

        return sector;
    }

    public override string ToString() => Number < 0 ? "zeros" : $"sector {Number} version {Version}";

    private ulong Word(int index)
    {
        if (Number < 0)
        {
            return 0;
        }

        var name = (ulong)Number << 40 | (ulong)(uint)Version << 28 | (ulong)(uint)index << 20;
        return name | (name * Mix) >> 44;
    }
}

/// <summary>Bytes that are no whole version of anything.</summary>
internal sealed class TornException(string message) : Exception(message);
