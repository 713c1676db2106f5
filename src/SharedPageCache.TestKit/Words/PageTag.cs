using System.Buffers.Binary;
using System.Globalization;

namespace SharedPageCache.TestKit.Words;

/// <summary>
/// What a page of test content is: the trust domain and the lineage that wrote it, its place in the file, and its version.
/// Every word of the page carries all of it, so that one look tells a torn page, a wrong page, an old version, somebody
/// else's bytes, and bytes of nobody.
/// </summary>
/// <param name="Domain">The trust domain, 0 to 15.</param>
/// <param name="Lineage">The file that was written, 0 to 2,047. A clone shows its origin's lineage where it was not written itself.</param>
/// <param name="Page">The page of that file, 0 to 65,535.</param>
/// <param name="Version">Which write of the page, 1 to 1,048,575.</param>
public readonly record struct PageTag(int Domain, int Lineage, int Page, int Version)
{
    private const int LineageBits = 11;
    private const int PageBits = 16;
    private const int VersionBits = 20;
    private const int DomainBits = Word.SerialBits - LineageBits - PageBits - VersionBits;

    /// <summary>The tag as a serial number of <see cref="Word"/>.</summary>
    /// <exception cref="InvalidOperationException">A part is out of its range.</exception>
    public long Serial =>
        Fits(Domain, DomainBits) && Fits(Lineage, LineageBits) && Fits(Page, PageBits) && Fits(Version, VersionBits) && Version > 0
            ? (((long)Domain << LineageBits | (long)Lineage) << PageBits | (long)Page) << VersionBits | (long)Version
            : throw new InvalidOperationException($"{this} is out of range.");

    /// <summary>The tag that a word claims to be of.</summary>
    /// <param name="word">The word.</param>
    /// <returns>The tag; meaningless if the word is none of a test's.</returns>
    public static PageTag Of(ulong word) => OfSerial(Word.SerialOf(word));

    /// <summary>The tag that bytes claim to be of: that of their first word.</summary>
    /// <param name="bytes">Eight bytes or more, from the start of a word.</param>
    /// <returns>The tag; meaningless if these are no words of a test, see <see cref="FaultOf"/>.</returns>
    public static PageTag Of(ReadOnlySpan<byte> bytes) => Of(BinaryPrimitives.ReadUInt64LittleEndian(bytes));

    /// <summary>Fills bytes of the page.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="start">Which byte of the page the first one is.</param>
    public void Fill(Span<byte> bytes, int start = 0) => Word.Fill(bytes, Serial, start);

    /// <summary>The content of the page.</summary>
    /// <param name="length">How many bytes.</param>
    /// <returns>The bytes.</returns>
    public byte[] ToBytes(int length)
    {
        var bytes = new byte[length];
        Fill(bytes);
        return bytes;
    }

    /// <summary>What is wrong with bytes that should be of this page, in words.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="start">Which byte of the page the first one is, a multiple of 8.</param>
    /// <returns>The first fault, or null if every byte is right.</returns>
    public string? FaultOf(ReadOnlySpan<byte> bytes, int start = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(start % 8, 0);
        if (Word.Matches(bytes, Serial, start))
        {
            return null;
        }

        for (var at = 0; at + 8 <= bytes.Length; at += 8)
        {
            var (index, word) = ((start + at) / 8, BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]));
            if (word != Word.Of(Serial, index))
            {
                return $"word {index} of {this} is {Kind(word, index, bytes)}";
            }
        }

        return $"the last {bytes.Length % 8} bytes of {this} are wrong";
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"version {Version} of page {Page} of lineage {Lineage} in domain {Domain}");

    private string Kind(ulong word, int index, ReadOnlySpan<byte> bytes)
    {
        var (serial, itsIndex) = Word.Read(word);
        var tag = OfSerial(serial);
        return word == 0 ? "zero"
            : itsIndex != index || tag.Version == 0 ? $"no word of a test, or of another place ({word:x16})"
            : tag.Domain != Domain ? $"of a foreign domain: {tag}"
            : (tag.Lineage, tag.Page) != (Lineage, Page) ? $"of a wrong page: {tag}"
            : Of(bytes) != tag ? $"torn: {tag}"
            : tag.Version < Version ? $"old: {tag}"
            : $"newer: {tag}";
    }

    private static PageTag OfSerial(long serial) => new(
        (int)(serial >> VersionBits + PageBits + LineageBits),
        (int)(serial >> VersionBits + PageBits) & (1 << LineageBits) - 1,
        (int)(serial >> VersionBits) & (1 << PageBits) - 1,
        (int)serial & (1 << VersionBits) - 1);

    private static bool Fits(int value, int bits) => value >= 0 && value >> bits == 0;
}
