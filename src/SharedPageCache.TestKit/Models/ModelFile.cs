using System.Diagnostics;

namespace SharedPageCache.TestKit.Models;

/// <summary>
/// What a file must hold: a byte array that is changed in the same way. Not thread-safe.
/// </summary>
[DebuggerDisplay("{Length} bytes")]
public sealed class ModelFile
{
    /// <summary>Zero behind the length.</summary>
    private byte[] _bytes;

    private int _length;

    /// <summary>Makes a file.</summary>
    /// <param name="bytes">What it holds; copied.</param>
    public ModelFile(params ReadOnlySpan<byte> bytes) => (_bytes, _length) = (bytes.ToArray(), bytes.Length);

    /// <summary>Its length in bytes.</summary>
    public long Length => _length;

    /// <summary>What it holds; no longer valid when it is changed.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <summary>A part of what it holds, as far as there is something; no longer valid when it is changed.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">How many at most.</param>
    /// <returns>The bytes.</returns>
    public ReadOnlySpan<byte> Part(long offset, long length)
    {
        var start = (int)Math.Min(offset, _length);
        return _bytes.AsSpan(start, (int)Math.Clamp(length, 0, _length - start));
    }

    /// <summary>Reads, as far as there is something.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">Where the bytes go.</param>
    /// <returns>How many there were.</returns>
    public int Read(long offset, Span<byte> destination)
    {
        var part = Part(offset, destination.Length);
        part.CopyTo(destination);
        return part.Length;
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
    public void SetLength(long length)
    {
        if (length > _bytes.Length)
        {
            Array.Resize(ref _bytes, (int)Math.Max(length, Math.Min(2L * _bytes.Length, Array.MaxLength)));
        }
        else if (length < _length)
        {
            _bytes.AsSpan((int)length, _length - (int)length).Clear();
        }

        _length = (int)length;
    }

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
    public ModelFile Clone() => new(Bytes);

    /// <summary>Takes a range of another file, or of this one, as it was before.</summary>
    /// <param name="source">The other file.</param>
    /// <param name="sourceOffset">First byte there.</param>
    /// <param name="offset">First byte here.</param>
    /// <param name="length">How many, inside the source.</param>
    public void CloneRange(ModelFile source, long sourceOffset, long offset, long length)
    {
        ArgumentNullException.ThrowIfNull(source);
        Write(offset, source._bytes.AsSpan((int)sourceOffset, (int)length));
    }

    /// <summary>Where bytes that were read differ from what the file holds, in words.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="actual">The bytes that were read.</param>
    /// <param name="asked">How many were asked for.</param>
    /// <returns>The first difference, or null.</returns>
    public string? FaultOf(long offset, ReadOnlySpan<byte> actual, int asked)
    {
        var expected = Part(offset, asked);
        if (expected.Length != actual.Length)
        {
            return $"{actual.Length} bytes were read at {offset}, and there are {expected.Length} of {asked}";
        }

        if (actual.SequenceEqual(expected))
        {
            return null;
        }

        var same = actual.CommonPrefixLength(expected);
        return $"at {offset + same} stands {actual[same]:x2} instead of {expected[same]:x2}";
    }
}
