namespace SharedPageCache.Cow;

/// <summary>An entry of the volume's directory.</summary>
/// <param name="Name">The file's name.</param>
/// <param name="Id">Its identity, which is never used again.</param>
/// <param name="Length">Its length in bytes.</param>
public readonly record struct FileEntry(string Name, FileId Id, long Length);
