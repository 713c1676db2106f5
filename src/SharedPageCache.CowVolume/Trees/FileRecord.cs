namespace SharedPageCache.Cow.Trees;

/// <summary>What the disk knows of a named file as of one commit. Never changed: each commit makes new ones.</summary>
internal sealed class FileRecord(long birth, ulong id, string name, long length, FileTree tree) : MetaBlock(birth)
{
    public ulong Id { get; } = id;

    public string Name { get; } = name;

    public long Length { get; } = length;

    public FileTree Tree { get; } = tree;
}
