namespace SharedPageCache;

/// <summary>What an engine says about an extent, in the terms of Linux FIEMAP.</summary>
[Flags]
public enum ExtentFlags
{
    /// <summary>An ordinary extent of written bytes.</summary>
    None = 0,

    /// <summary>The blocks are (or may be) shown by other files or at other offsets too: a write must copy.</summary>
    Shared = 1,

    /// <summary>Blocks are allocated but were never written: the range reads zero and costs no frame.</summary>
    Unwritten = 2,

    /// <summary>No blocks: the range reads zero and costs no frame. Gaps between extents mean the same.</summary>
    Hole = 4,

    /// <summary>
    /// The bytes have no final or no direct address (delayed allocation, encoded, inline data): they are read through the
    /// file itself and the page is private to the files that share this part of their trees.
    /// </summary>
    Opaque = 8,
}
