using System.Security.Cryptography;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What the image must read as: a fast hash for each chunk, and SHA-256 for the whole.</summary>
/// <remarks>
/// Made once from the bytes of the source files, before they reach the volume, so it knows nothing of what the device
/// or the cache may do to them. Safe for use by many threads once <see cref="Complete"/> has returned.
/// </remarks>
internal sealed class ImageFingerprint : IDisposable
{
    private readonly IncrementalHash _whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _tail = new byte[ChunkHash.ChunkBytes];
    private readonly UInt128[] _chunks;
    private int _chunkCount;
    private int _tailBytes;

    /// <summary>Makes an empty fingerprint.</summary>
    /// <param name="imageBytes">The length of the image to come, in bytes.</param>
    public ImageFingerprint(long imageBytes)
    {
        _chunks = new UInt128[(imageBytes + ChunkHash.ChunkBytes - 1) / ChunkHash.ChunkBytes];
    }

    /// <summary>SHA-256 of the whole image as a hexadecimal number; empty before <see cref="Complete"/>.</summary>
    public string Sha256 { get; private set; } = "";

    /// <summary>Takes the next bytes of the image.</summary>
    /// <param name="bytes">Any number of bytes.</param>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        _whole.AppendData(bytes);
        while (bytes.Length > 0)
        {
            int taken = Math.Min(bytes.Length, _tail.Length - _tailBytes);
            bytes[..taken].CopyTo(_tail.AsSpan(_tailBytes));
            bytes = bytes[taken..];
            _tailBytes += taken;
            if (_tailBytes == _tail.Length)
                CloseChunk();
        }
    }

    /// <summary>Ends the image: every byte has been appended.</summary>
    public void Complete()
    {
        if (_tailBytes > 0)
            CloseChunk();
        Sha256 = Convert.ToHexStringLower(_whole.GetHashAndReset());
    }

    /// <summary>Whether bytes that were read are the bytes of the image.</summary>
    /// <param name="offset">Where they were read, a multiple of <see cref="ChunkHash.ChunkBytes"/>.</param>
    /// <param name="bytes">Whole chunks, or all that is left of the image.</param>
    public bool Matches(long offset, ReadOnlySpan<byte> bytes)
    {
        int chunk = (int)(offset / ChunkHash.ChunkBytes);
        while (bytes.Length > 0)
        {
            int length = Math.Min(bytes.Length, ChunkHash.ChunkBytes);
            if (ChunkHash.Of(bytes[..length]) != _chunks[chunk++])
                return false;
            bytes = bytes[length..];
        }

        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _whole.Dispose();

    private void CloseChunk()
    {
        _chunks[_chunkCount++] = ChunkHash.Of(_tail.AsSpan(0, _tailBytes));
        _tailBytes = 0;
    }
}
