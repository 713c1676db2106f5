namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>Where a store of a test lives.</summary>
public enum HomeKind
{
    /// <summary>One file: a volume.</summary>
    File,

    /// <summary>A directory on XFS.</summary>
    Xfs,

    /// <summary>A directory on btrfs.</summary>
    Btrfs,
}
