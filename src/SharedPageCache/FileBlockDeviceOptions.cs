using System.Diagnostics;

namespace SharedPageCache;

/// <summary>How a <see cref="FileBlockDevice"/> is opened.</summary>
[DebuggerDisplay("direct {DirectIO}, writable {Writable}, block {BlockSize}")]
public sealed class FileBlockDeviceOptions
{
    /// <summary>
    /// Whether to read around the operating system's page cache, so that it keeps no second copy. Default true. Where the
    /// file system does not have it the device works buffered; see <see cref="FileBlockDevice.IsDirect"/>.
    /// </summary>
    public bool DirectIO { get; set; } = true;

    /// <summary>Whether the device may be written too. Default false.</summary>
    public bool Writable { get; set; }

    /// <summary>
    /// Whether nobody else may have the file open meanwhile, in this process or another (flock on Unix, which is advisory).
    /// Default false. Opening a file that somebody has open fails.
    /// </summary>
    public bool Exclusive { get; set; }

    /// <summary>
    /// The block size in bytes: a power of two, 512 to 65,536, and for direct I/O a multiple of the disk's logical block.
    /// Default 4,096.
    /// </summary>
    public int BlockSize { get; set; } = 4096;
}
