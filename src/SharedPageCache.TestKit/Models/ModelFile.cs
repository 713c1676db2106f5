using System.Diagnostics;

namespace SharedPageCache.TestKit.Models;

/// <summary>
/// What a file must hold: a byte array that is changed in the same way. Not thread-safe.
/// </summary>
[DebuggerDisplay("{Length} bytes")]
public sealed class ModelFile
{
    private byte[] _bytes;

    /// <summary>Makes a file.</summary>
    /// <param name="bytes">What it holds; copied.</param>
    public ModelFile(params ReadOnlySpan<byte> bytes) => _bytes = bytes.ToArray();

    /// <summary>Its length in bytes.</summary>
    public long Length => _bytes.Length;

    /// <summary>What it holds.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Reads, as far as there is something.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">Where the bytes go.</param>
    /// <returns>How many there were.</returns>
    public int Read(long offset, Span<byte> destination)
    {
        var count = (int)Math.Clamp(_bytes.Length - offset, 0, destination.Length);
        if (count > 0)
        {
            _bytes.AsSpan((int)offset, count).CopyTo(destination);
        }

        return count;
    }

    /// <summary>Writes; the file grows if need be, and reads zero between its old end and the first byte.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="bytes">The bytes.</param>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        SetLength(Math.Max(Length, offset + bytes.Length));
        bytes.CopyTo(_bytes.AsSpan((int)offset));
    }

    /// <summary>Makes it shorter or longer; a longer file reads zero behind its old end.</summary>
    /// <param name="length">The new length.</param>
    public void SetLength(long length) => Array.Resize(ref _bytes, (int)length);

    /// <summary>Makes a range zero, as far as the file reaches.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">How many.</param>
    public void Punch(long offset, long length)
    {
        var count = Math.Min(Length - offset, length);
        if (count > 0)
        {
            _bytes.AsSpan((int)offset, (int)count).Clear();
        }
    }

    /// <summary>A file of its own that holds the same.</summary>
    /// <returns>The clone.</returns>
    public ModelFile Clone() => new(_bytes);

    /// <summary>Takes a range of another file, or of this one, as it was before.</summary>
    /// <param name="source">The other file.</param>
    /// <param name="sourceOffset">First byte there.</param>
    /// <param name="offset">First byte here.</param>
    /// <param name="length">How many, inside the source.</param>
    public void CloneRange(ModelFile source, long sourceOffset, long offset, long length)
    {
        ArgumentNullException.ThrowIfNull(source);
        Write(offset, source._bytes.AsSpan((int)sourceOffset, (int)length).ToArray());
    }

    /// <summary>Where bytes that were read differ from what the file holds, in words.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="actual">The bytes that were read.</param>
    /// <param name="asked">How many were asked for.</param>
    /// <returns>The first difference, or null.</returns>
    public string? FaultOf(long offset, ReadOnlySpan<byte> actual, int asked)
    {
        var expected = new byte[asked];
        var count = Read(offset, expected);
        if (count != actual.Length)
        {
            return $"{actual.Length} bytes were read at {offset}, and there are {count} of {asked}";
        }

        var same = actual.CommonPrefixLength(expected);
        return same == count ? null : $"at {offset + same} stands {actual[same]:x2} instead of {expected[same]:x2}";
    }
}
