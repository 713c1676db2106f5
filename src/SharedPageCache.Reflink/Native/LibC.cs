using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>
/// The system calls of this package, as glibc offers them on x64 and arm64. Structures are passed as plain memory of a
/// fixed layout; each caller names the layout it relies on.
/// </summary>
internal static unsafe partial class LibC
{
    public const int PermissionDenied = 1;      // EPERM
    public const int NoEntry = 2;               // ENOENT
    public const int AccessDenied = 13;         // EACCES
    public const int InvalidArgument = 22;      // EINVAL
    public const int NotATypewriter = 25;       // ENOTTY: the file system does not know the ioctl
    public const int NotImplemented = 38;       // ENOSYS
    public const int NotSupported = 95;         // EOPNOTSUPP

    [LibraryImport("libc", SetLastError = true)]
    public static partial int ioctl(SafeFileHandle file, nuint request, void* argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(SafeFileHandle file, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int statx(SafeFileHandle file, byte* path, int flags, uint mask, void* buffer);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int statxOfPath(int folder, string path, int flags, uint mask, void* buffer);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fstatfs(SafeFileHandle file, void* buffer);

    /// <summary>Returns the error itself and leaves errno alone.</summary>
    [LibraryImport("libc")]
    public static partial int posix_fadvise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fallocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int linkat(int oldFolder, string oldPath, int newFolder, string newPath, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int renameat2(int oldFolder, string oldPath, int newFolder, string newPath, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int syncfs(SafeFileHandle file);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fsync(SafeFileHandle file);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint syscall(nint number, nint file, void* range, void* answer, nuint flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint mmap(nint address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int munmap(nint address, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int mincore(nint address, nuint length, byte* residency);

    /// <summary>The exception for the error that the last call of this thread left behind.</summary>
    /// <param name="what">What failed, as the start of a sentence: "FIEMAP".</param>
    /// <param name="path">The file.</param>
    public static Exception LastError(string what, string path) => Error(what, path, Marshal.GetLastPInvokeError());

    /// <summary>The exception for an error number.</summary>
    public static Exception Error(string what, string path, int error)
    {
        var message = $"{what} of '{path}' failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error}).";
        return error is PermissionDenied or AccessDenied
            ? new UnauthorizedAccessException(message)
            : new IOException(message, error);
    }
}
