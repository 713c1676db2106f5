namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// A sequence of reads that many clones make in turn: each a chunk of 64 KiB, both the clone and the chunk drawn by
/// Zipf's law.
/// </summary>
/// <remarks>
/// Some machines are busier than others, and all of them want the same libraries most: so a fleet that was booted from
/// one image behaves. It is fair ground, for skew is what LRU lives on. Each walk gives the same sequence.
/// </remarks>
internal sealed class AccessPattern
{
    /// <summary>The length of each read in bytes; the last chunk of an image may be shorter.</summary>
    public const int ReadBytes = ChunkHash.ChunkBytes;

    /// <summary>The exponent of Zipf's law, the value that YCSB made customary.</summary>
    public const double Exponent = 0.99;

    /// <summary>The number of reads.</summary>
    public const int Reads = 32_768;

    private readonly ZipfRanks _clones;
    private readonly ZipfRanks _chunks;

    /// <summary>Makes the pattern.</summary>
    /// <param name="clones">The number of clones.</param>
    /// <param name="imageBytes">The length of the image in bytes.</param>
    public AccessPattern(int clones, long imageBytes)
    {
        var random = new Random(Seed: 2);
        _clones = new ZipfRanks(clones, Exponent, random);
        _chunks = new ZipfRanks((int)((imageBytes + ReadBytes - 1) / ReadBytes), Exponent, random);
    }

    /// <summary>Walks the sequence.</summary>
    /// <returns>The number of the clone and the byte offset of each read.</returns>
    public IEnumerable<(int Clone, long Offset)> Walk()
    {
        var random = new Random(Seed: 3);
        for (int i = 0; i < Reads; i++)
            yield return (_clones.Draw(random), (long)_chunks.Draw(random) * ReadBytes);
    }
}
