namespace SharedPageCache.Reflink;

/// <summary>Which inode a file is, on its file system.</summary>
/// <param name="Device">The device number: tells the subvolumes of a btrfs apart, which number their inodes alike.</param>
/// <param name="Inode">The inode number.</param>
/// <param name="Birth">When it was made: differs when the inode number is given out again.</param>
internal readonly record struct FileKey(uint Device, ulong Inode, FileTime Birth)
{
    public FileId Id => new((ulong)Device << 32 | ((uint)Birth.Seconds * 1_000_000_000 + Birth.Nanoseconds), Inode);
}
