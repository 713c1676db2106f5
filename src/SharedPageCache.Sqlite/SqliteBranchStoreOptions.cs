using System.Diagnostics;

namespace SharedPageCache.Sqlite;

/// <summary>How a <see cref="SqliteBranchStore"/> is opened.</summary>
[DebuggerDisplay("{CapacityBytes} bytes, cache {CacheBytes}")]
public sealed class SqliteBranchStoreOptions
{
    /// <summary>
    /// The cache that holds the pages, which is not disposed with the store; null (the default) for one of the store's own.
    /// Several stores may share one. Its page size should be that of the databases, SQLite's default being 4,096: pages of
    /// another size are copied at each read.
    /// </summary>
    public PageCache? Cache { get; set; }

    /// <summary>The memory limit of the store's own cache in bytes. Default 256 MiB. Ignored if <see cref="Cache"/> is set.</summary>
    public long CacheBytes { get; set; } = 256L << 20;

    /// <summary>
    /// How many bytes a new store can hold, journals included. Default 64 GiB. The file is sparse: it takes up what is used.
    /// A store that exists keeps its own; a directory has what its file system has.
    /// </summary>
    public long CapacityBytes { get; set; } = 64L << 30;

    /// <summary>
    /// Whether to go around the operating system's page cache, so that it keeps no second copy. Default true; where the
    /// file system does not have it the store works buffered. A directory always does so.
    /// </summary>
    public bool DirectIO { get; set; } = true;

    /// <summary>
    /// The native SQLite library, by name or path; null (the default) for the one that SQLitePCLRaw, and with it
    /// Microsoft.Data.Sqlite, uses. There can be one only in a process.
    /// </summary>
    public string? NativeLibrary { get; set; }
}
