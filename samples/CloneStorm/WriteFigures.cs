namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What <see cref="WriteLeg"/> found.</summary>
internal sealed record WriteFigures
{
    /// <summary>How many clones wrote.</summary>
    public required int Writers { get; init; }

    /// <summary>Versions of pages that were written, each counted once.</summary>
    public required long DirtyPages { get; init; }

    /// <summary>What the cache says is dirty, in bytes, right before the flush.</summary>
    public required long DirtyBytes { get; init; }

    /// <summary>The blocks of content that went to the device, counted at the device.</summary>
    public required long DeviceBlocksWritten { get; init; }

    /// <summary>Pages whose old bytes were copied for a write, by the cache's own count.</summary>
    public required long CowCopies { get; init; }

    /// <summary>
    /// Clones that were made of files when not one page of all that was written had gone to the device.
    /// </summary>
    public required int ClonesWhileDirty { get; init; }

    /// <summary>How long all writing and cloning took.</summary>
    public required TimeSpan WriteTime { get; init; }

    /// <summary>How long the flush of the volume took.</summary>
    public required TimeSpan FlushTime { get; init; }

    /// <summary>The pages in the cache after the flush, in bytes.</summary>
    public required long ResidentBytes { get; init; }

    /// <summary>What the cache needs to know about them, at the same moment.</summary>
    public required long MetadataBytes { get; init; }

    /// <summary>Every file of the volume, and what it must be now.</summary>
    public required IReadOnlyList<WrittenFile> Files { get; init; }
}
