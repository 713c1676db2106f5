namespace SharedPageCache.Reflink.Tests.Mounts;

/// <summary>A file system that the tests make for themselves.</summary>
public enum FileSystemKind
{
    /// <summary>XFS with reflink=1.</summary>
    Xfs,

    /// <summary>btrfs as it comes.</summary>
    Btrfs,

    /// <summary>btrfs that compresses all that it is given.</summary>
    CompressedBtrfs,
}
