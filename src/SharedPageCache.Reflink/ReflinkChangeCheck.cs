namespace SharedPageCache.Reflink;

/// <summary>How strictly a file is held against the moment of its opening.</summary>
public enum ReflinkChangeCheck
{
    /// <summary>
    /// Size, modification time and change time must be the same. A change time that moved together with the number of the
    /// file's names (the file was deleted, or hard-linked) is accepted: deleting an open file leaves it readable. This
    /// also refuses files that were renamed, or whose mode, owner or extended attributes changed. The default.
    /// </summary>
    ChangeTime,

    /// <summary>
    /// Size and modification time must be the same; changes of metadata are accepted. A program that overwrites a file
    /// and then sets the modification time back to exactly what it was is not noticed.
    /// </summary>
    ModificationTime,
}
