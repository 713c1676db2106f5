namespace SharedPageCache.Samples.CloneStorm;

/// <summary>Bytes that a file of the image got: which they are follows from a seed, so nobody has to keep them.</summary>
/// <param name="Offset">The first byte in the file.</param>
/// <param name="Length">How many there are.</param>
/// <param name="Seed">What they are made of.</param>
internal readonly record struct ImageWrite(long Offset, int Length, int Seed)
{
    /// <summary>The bytes.</summary>
    public byte[] Bytes()
    {
        var bytes = new byte[Length];
        new Random(Seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Whether some of the bytes lie in a range of the file.</summary>
    /// <param name="offset">The first byte of the range.</param>
    /// <param name="length">Its length.</param>
    public bool Touches(long offset, int length) => Offset < offset + length && offset < Offset + Length;

    /// <summary>Puts the bytes over what a range of the file held before.</summary>
    /// <param name="offset">The first byte of the range.</param>
    /// <param name="range">The bytes of the range.</param>
    public void ApplyTo(long offset, Span<byte> range)
    {
        long first = Math.Max(offset, Offset);
        long end = Math.Min(offset + range.Length, Offset + Length);
        if (first < end)
            Bytes().AsSpan((int)(first - Offset), (int)(end - first)).CopyTo(range[(int)(first - offset)..]);
    }
}
