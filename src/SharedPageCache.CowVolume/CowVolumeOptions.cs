using System.Diagnostics;
using System.Numerics;

namespace SharedPageCache.Cow;

/// <summary>How a volume is created or opened.</summary>
[DebuggerDisplay("{CapacityBytes} bytes in blocks of {BlockSize}")]
public sealed class CowVolumeOptions
{
    /// <summary>
    /// The block size in bytes of a volume that is created in a file: a power of two, 512 to 65,536. Default 4,096. A
    /// volume that is opened has its own, and one on a device has the device's.
    /// </summary>
    public int BlockSize { get; set; } = 4096;

    /// <summary>
    /// The size in bytes of a volume that is created in a file; rounded down to blocks. Default 1 GiB. The file is sparse:
    /// it takes up what is used. A volume on a device has the device's size.
    /// </summary>
    public long CapacityBytes { get; set; } = 1L << 30;

    /// <summary>
    /// Whether to go around the operating system's page cache, so that it keeps no second copy. Default true; where the
    /// file system does not have it the volume works buffered.
    /// </summary>
    public bool DirectIO { get; set; } = true;

    /// <summary>The volume's name in messages; default its path, or its id.</summary>
    public string? Name { get; set; }

    /// <summary>
    /// For pages that were written with a log sequence number: returns when the log is durable up to it. Null (the
    /// default) says that there is no log; write-back of such a page fails then.
    /// </summary>
    public Func<Lsn, CancellationToken, ValueTask>? EnsureDurable { get; set; }

    internal static bool IsBlockSize(int size) =>
        size is >= PageCacheOptions.MinPageSize and <= PageCacheOptions.MaxPageSize && BitOperations.IsPow2(size);
}
