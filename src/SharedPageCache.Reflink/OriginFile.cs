using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <summary>A file that was just opened: its descriptor and what does not change about it.</summary>
/// <param name="Path">The full path.</param>
/// <param name="Handle">The descriptor, set to unbuffered reads.</param>
/// <param name="Key">Which inode it is.</param>
/// <param name="FileSystem">Where it lies.</param>
/// <param name="MemoryAlignment">How buffers must be aligned, or 0 if the file system does not say.</param>
/// <param name="Mode">The permissions that it had.</param>
internal sealed record OriginFile(
    string Path, SafeFileHandle Handle, FileKey Key, FileSystemStatus FileSystem, int MemoryAlignment, UnixFileMode Mode)
{
    private const UnixFileMode OwnerMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Opens a file and looks where it lies.</summary>
    /// <exception cref="NotSupportedException">It is not a regular file, or lies neither on XFS nor on btrfs.</exception>
    /// <exception cref="IOException">It cannot be opened, or the file system failed.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public static OriginFile Open(string path, FileAccess access = FileAccess.Read)
    {
        var fullPath = System.IO.Path.GetFullPath(path);
        if (FileStatus.IsSpecial(fullPath))
        {
            throw new NotSupportedException($"'{fullPath}' is not a regular file.");
        }

        return Look(fullPath, DirectFile.Open(fullPath, access));
    }

    /// <summary>Makes a file that has no name yet, in the folder of a name that it may get.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public static OriginFile CreateUnnamed(string path)
    {
        var fullPath = System.IO.Path.GetFullPath(path);
        return Look(fullPath, WritableFile.CreateUnnamed(System.IO.Path.GetDirectoryName(fullPath)!, OwnerMode));
    }

    /// <summary>Makes a file that has no name yet, to clone another one into it.</summary>
    /// <param name="path">The full path that it is meant for, on the file system of the other file.</param>
    /// <param name="like">The file to be cloned, which says what all files of its file system have in common.</param>
    /// <exception cref="IOException">The file system failed.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public static OriginFile CreateUnnamed(string path, WritableReflinkFile like)
    {
        var handle = WritableFile.CreateUnnamed(System.IO.Path.GetDirectoryName(path)!, like.Mode);
        try
        {
            return Of(path, handle, FileStatus.Of(handle, path), like.Volume.FileSystem);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private static OriginFile Of(string path, SafeFileHandle handle, FileStatus status, FileSystemStatus fileSystem) =>
        new(path, handle, status.Key, fileSystem, status.DirectMemoryAlignment, status.Mode);

    private static OriginFile Look(string fullPath, SafeFileHandle handle)
    {
        try
        {
            var status = FileStatus.Of(handle, fullPath);
            var fileSystem = FileSystemStatus.Of(handle, fullPath, status.Device);
            DirectFile.LeaveOutKernelCache(handle, fullPath);
            return Of(fullPath, handle, status, fileSystem);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }
}
