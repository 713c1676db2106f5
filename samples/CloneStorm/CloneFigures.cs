namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What <see cref="CloneLeg"/> found. All sizes are in bytes.</summary>
internal sealed record CloneFigures
{
    /// <summary>What all clones show together: what one page cache per file would hold.</summary>
    public required long LogicalBytes { get; init; }

    /// <summary>The number of different blocks that the clones show.</summary>
    public required long DistinctBlocks { get; init; }

    /// <summary>The cache's capacity.</summary>
    public required long CapacityBytes { get; init; }

    /// <summary>The pages in the cache after every clone was read in full.</summary>
    public required long ResidentBytes { get; init; }

    /// <summary>What the cache needs to know about them, at the same moment.</summary>
    public required long MetadataBytes { get; init; }

    /// <summary>What the cache says that sharing has saved, at the same moment.</summary>
    public required long SavedBytes { get; init; }

    /// <summary>The blocks that came from the device, counted at the device.</summary>
    public required long DeviceBlocksRead { get; init; }

    /// <summary>What a clone costs.</summary>
    public required CloneCost CloneCost { get; init; }

    /// <summary>How many clonings lie between the image and its farthest clone.</summary>
    public required int CloneDepth { get; init; }

    /// <summary>The bytes that were read and are right.</summary>
    public required long RightBytes { get; init; }

    /// <summary>Whether SHA-256 of the deepest clone, read as a stream, is that of the source files.</summary>
    public required bool WholeMatches { get; init; }

    /// <summary>How long all clones took to read.</summary>
    public required TimeSpan ReadTime { get; init; }

    /// <summary>Whether every byte of every clone was compared and is right.</summary>
    public bool Verified => RightBytes == LogicalBytes && WholeMatches;
}
