namespace SharedPageCache.TestKit.Models;

/// <summary>What a <see cref="FileModel"/> does in a step.</summary>
public enum ModelOperation
{
    /// <summary>Reads, blocking or awaiting.</summary>
    Read,

    /// <summary>Writes at any place, blocking or awaiting.</summary>
    Write,

    /// <summary>Writes whole pages past the cache.</summary>
    WriteAround,

    /// <summary>Clones a file in whatever state it is.</summary>
    Clone,

    /// <summary>Clones a range of a file into another one, or into itself.</summary>
    CloneRange,

    /// <summary>Shares what is equal of two ranges.</summary>
    Dedupe,

    /// <summary>Makes a file shorter or longer.</summary>
    SetLength,

    /// <summary>Makes a range a hole.</summary>
    PunchHole,

    /// <summary>Makes a range zero, and the file longer if need be.</summary>
    ZeroRange,

    /// <summary>Flushes a range.</summary>
    FlushRange,

    /// <summary>Flushes a file.</summary>
    FlushFile,

    /// <summary>Flushes the volume, or the cache.</summary>
    FlushVolume,

    /// <summary>Reads so much of something else that pages are evicted.</summary>
    Evict,

    /// <summary>Brings a range into memory.</summary>
    Prefetch,

    /// <summary>Closes a file, which is perhaps opened again later.</summary>
    Close,

    /// <summary>Closes a file, flushed or not, and opens it again by its id; or opens one that was closed before.</summary>
    Reopen,

    /// <summary>Opens one more handle of a file by its id, or closes one.</summary>
    Handle,

    /// <summary>Deletes a file.</summary>
    Delete,

    /// <summary>Makes a new file.</summary>
    Create,

    /// <summary>Leases a page or a range, and keeps the lease for a while.</summary>
    Lease,

    /// <summary>Ends a lease.</summary>
    Release,

    /// <summary>Leases a page and writes to it while it is leased.</summary>
    WriteUnderLease,

    /// <summary>Leases a page for writing, does something else meanwhile, and commits or gives up.</summary>
    LeaseForWrite,

    /// <summary>Merges a branch into a file.</summary>
    Merge,

    /// <summary>Lists the pages in which two files differ.</summary>
    Diff,

    /// <summary>Tells the cache that blocks are to be forgotten.</summary>
    Discard,

    /// <summary>The engine moves blocks.</summary>
    Relocate,

    /// <summary>Tells the cache that a file's extents are to be asked for again.</summary>
    Invalidate,

    /// <summary>Seals a file, or makes a sealed clone: nothing changes it any more.</summary>
    Seal,
}
