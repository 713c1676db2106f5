namespace SharedPageCache.Samples.CloneStorm;

/// <summary>Reads a clone from its first byte to its last and compares all of it. For one thread at a time.</summary>
internal sealed class VerifyingReader
{
    private const int BufferBytes = 256 << 10;

    private readonly GoldenImage _image;
    private readonly MappedFile? _golden;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly byte[] _chunk = new byte[ChunkHash.ChunkBytes];

    /// <summary>Makes a reader with buffers of its own.</summary>
    /// <param name="image">What the clones must read as.</param>
    /// <param name="golden">The image itself, for clones that were written to.</param>
    public VerifyingReader(GoldenImage image, MappedFile? golden = null)
    {
        _image = image;
        _golden = golden;
    }

    /// <summary>Reads all of a clone that nobody has written to.</summary>
    /// <param name="clone">The clone.</param>
    /// <param name="step">Is told of each byte read.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    /// <returns>The number of bytes that were read and are right.</returns>
    public long ReadAll(MappedFile clone, ProgressStep step, CancellationToken cancellationToken) =>
        ReadAll(clone, [], step, cancellationToken);

    /// <summary>Reads all of a clone.</summary>
    /// <param name="clone">The clone.</param>
    /// <param name="writes">What was written to it, in order.</param>
    /// <param name="step">Is told of each byte read.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    /// <returns>The number of bytes that were read and are right.</returns>
    public long ReadAll(
        MappedFile clone, IReadOnlyList<ImageWrite> writes, ProgressStep step, CancellationToken cancellationToken)
    {
        long rightBytes = 0;
        for (long offset = 0; offset < _image.Length; offset += BufferBytes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int wanted = (int)Math.Min(BufferBytes, _image.Length - offset);
            int read = clone.Read(offset, _buffer);
            if (read == wanted && IsRight(offset, _buffer.AsSpan(0, read), writes))
                rightBytes += read;
            step.Advance(wanted);
        }

        return rightBytes;
    }

    private bool IsRight(long offset, ReadOnlySpan<byte> bytes, IReadOnlyList<ImageWrite> writes)
    {
        while (bytes.Length > 0)
        {
            ReadOnlySpan<byte> chunk = bytes[..Math.Min(bytes.Length, ChunkHash.ChunkBytes)];
            bool isRight = IsTouched(offset, chunk.Length, writes)
                ? ChunkHash.Of(chunk) == HashAfter(offset, writes)
                : _image.Fingerprint.Matches(offset, chunk);
            if (!isRight)
                return false;
            offset += chunk.Length;
            bytes = bytes[chunk.Length..];
        }

        return true;
    }

    private static bool IsTouched(long offset, int length, IReadOnlyList<ImageWrite> writes)
    {
        foreach (ImageWrite write in writes)
        {
            if (write.Touches(offset, length))
                return true;
        }

        return false;
    }

    /// <summary>The hash of a chunk of the image with all that was written to it.</summary>
    private UInt128 HashAfter(long offset, IReadOnlyList<ImageWrite> writes)
    {
        Span<byte> expected = _image.ReadChunk(_golden!, (int)(offset / ChunkHash.ChunkBytes), _chunk);
        foreach (ImageWrite write in writes)
            write.ApplyTo(offset, expected);
        return ChunkHash.Of(expected);
    }
}
