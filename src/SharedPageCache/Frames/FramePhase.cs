namespace SharedPageCache.Frames;

/// <summary>Where a frame stands in its life; three bits of the <see cref="FrameState"/> word.</summary>
internal enum FramePhase
{
    /// <summary>On the free list, or held by a thread that has just taken it from there.</summary>
    Free = 0,

    /// <summary>Under a device read; may be pinned by those who wait for it, shown by nobody.</summary>
    Loading = 1,

    /// <summary>Holds what the device holds (or what its composite was made of); may be shown, pinned, evicted.</summary>
    Clean = 2,

    /// <summary>Holds newer content than the device, and has no block. Never evicted.</summary>
    Dirty = 3,

    /// <summary>Dirty and frozen: its image is being written; a write copies.</summary>
    Writeback = 4,

    /// <summary>Taken by an evictor that is retiring it; still readable by those who copy optimistically.</summary>
    Claimed = 5,

    /// <summary>Shown by nobody and found by nobody; the last unpin frees it.</summary>
    Detached = 6,

    /// <summary>Out of service: its generations are used up until a sweep has found no reference to it.</summary>
    Retired = 7,
}
