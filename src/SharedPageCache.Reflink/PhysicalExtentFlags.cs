namespace SharedPageCache.Reflink;

/// <summary>The flags of an extent, with the values of Linux FIEMAP.</summary>
[Flags]
public enum PhysicalExtentFlags
{
    /// <summary>An ordinary extent of written bytes.</summary>
    None = 0,

    /// <summary>The last extent of the file.</summary>
    Last = 0x1,

    /// <summary>The place is not known.</summary>
    Unknown = 0x2,

    /// <summary>The place is not chosen yet: the bytes are dirty in the kernel's cache.</summary>
    DelayedAllocation = 0x4,

    /// <summary>The bytes on the volume are not the bytes of the file (compressed).</summary>
    Encoded = 0x8,

    /// <summary>The bytes on the volume are encrypted.</summary>
    Encrypted = 0x80,

    /// <summary>The place is not aligned to blocks.</summary>
    NotAligned = 0x100,

    /// <summary>The bytes lie among the file system's metadata.</summary>
    Inline = 0x200,

    /// <summary>The bytes share a block with the tails of other files.</summary>
    TailPacked = 0x400,

    /// <summary>Allocated, never written: reads zero.</summary>
    Unwritten = 0x800,

    /// <summary>Put together by the file system for this answer from smaller pieces.</summary>
    Merged = 0x1000,

    /// <summary>Other files, or other places of this one, show the same blocks.</summary>
    Shared = 0x2000,
}
