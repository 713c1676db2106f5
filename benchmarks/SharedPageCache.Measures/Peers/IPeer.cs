namespace SharedPageCache.Measures.Peers;

/// <summary>
/// Something that keeps pages of files in memory, as the benchmarks see it. Implement it in an assembly of your own, with a constructor
/// without parameters, and give its path to a house with <c>--peer</c>.
/// </summary>
public interface IPeer
{
    /// <summary>The name in the tables.</summary>
    string Name { get; }

    /// <summary>Opens an empty cache for a workload.</summary>
    /// <returns>The cache; null if the workload is none that it could do honestly.</returns>
    IPeerCache? TryOpen(PeerWorkload workload);
}

/// <summary>An open cache. Called by many threads at a time.</summary>
public interface IPeerCache : IDisposable
{
    /// <summary>Reads a range inside one page, from memory or from the file.</summary>
    /// <param name="file">Which of the workload's files: clones of each other.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">Receives the bytes.</param>
    void Read(int file, long offset, Span<byte> destination);

    /// <summary>Writes a range inside one page, in memory.</summary>
    void Write(int file, long offset, ReadOnlySpan<byte> source);

    /// <summary>Memory for pages, and what goes with them, in bytes as the cache counts it; 0 if it cannot.</summary>
    long MemoryBytes { get; }
}

/// <summary>What a cache is opened for.</summary>
/// <param name="Path">The file on disk that all files of the workload show at the beginning.</param>
/// <param name="FileBytes">Its length.</param>
/// <param name="Files">How many files there are: clones that have never been written.</param>
/// <param name="CacheBytes">What the cache may take for pages and what goes with them.</param>
/// <param name="Writes">Whether pages are written too; they are never written back.</param>
public sealed record PeerWorkload(string Path, long FileBytes, int Files, long CacheBytes, bool Writes = false)
{
    /// <summary>The page size of all peers.</summary>
    public const int PageSize = 4096;

    /// <summary>One file, for which there is room in whole, with whatever a cache keeps beside it.</summary>
    public static PeerWorkload ThatFits(string path, long fileBytes) => new(path, fileBytes, 1, fileBytes + (fileBytes / 8) + (16 << 20));

    /// <summary>Whether all pages of all files fit.</summary>
    public bool Fits => FileBytes + (FileBytes / 16) <= CacheBytes;
}
