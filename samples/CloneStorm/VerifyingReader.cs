namespace SharedPageCache.Samples.CloneStorm;

/// <summary>Reads a clone from its first byte to its last and compares all of it. For one thread at a time.</summary>
internal sealed class VerifyingReader
{
    private const int BufferBytes = 256 << 10;

    private readonly GoldenImage _image;
    private readonly byte[] _buffer = new byte[BufferBytes];

    /// <summary>Makes a reader with a buffer of its own.</summary>
    /// <param name="image">What the clones must read as.</param>
    public VerifyingReader(GoldenImage image)
    {
        _image = image;
    }

    /// <summary>Reads all of a clone.</summary>
    /// <param name="clone">The clone.</param>
    /// <param name="step">Is told of each byte read.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    /// <returns>The number of bytes that were read and are right.</returns>
    public long ReadAll(MappedFile clone, ProgressStep step, CancellationToken cancellationToken)
    {
        long rightBytes = 0;
        for (long offset = 0; offset < _image.Length; offset += BufferBytes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int wanted = (int)Math.Min(BufferBytes, _image.Length - offset);
            int read = clone.Read(offset, _buffer);
            if (read == wanted && _image.Fingerprint.Matches(offset, _buffer.AsSpan(0, read)))
                rightBytes += read;
            step.Advance(wanted);
        }

        return rightBytes;
    }
}
