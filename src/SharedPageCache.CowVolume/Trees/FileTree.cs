namespace SharedPageCache.Cow.Trees;

/// <summary>The tree of one file: its root, or none if the file has no block, and the root's level.</summary>
internal readonly record struct FileTree(MetaBlock? Root, int Level)
{
    public static FileTree Empty => default;
}
