namespace SharedPageCache.Reflink;

/// <summary>What of a file is not as it was when it was opened.</summary>
[Flags]
public enum ReflinkChanges
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The length.</summary>
    Size = 1,

    /// <summary>The modification time: somebody wrote to the file, or set the time.</summary>
    ModificationTime = 2,

    /// <summary>
    /// The change time alone: a write whose modification time was set back, or a change of the file's metadata (mode,
    /// owner, name, extended attributes). See <see cref="ReflinkChangeCheck"/>.
    /// </summary>
    ChangeTime = 4,

    /// <summary>The blocks that hold the content, while the content itself may be as before.</summary>
    Extents = 8,
}
