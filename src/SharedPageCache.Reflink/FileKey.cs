namespace SharedPageCache.Reflink;

/// <summary>Which inode a file is, on its file system.</summary>
/// <param name="Device">The device number: tells the subvolumes of a btrfs apart, which number their inodes alike.</param>
/// <param name="Inode">The inode number.</param>
/// <param name="Generation">The number that differs when the inode number is given out again.</param>
internal readonly record struct FileKey(uint Device, ulong Inode, uint Generation)
{
    public FileId Id => new((ulong)Device << 32 | Generation, Inode);
}
