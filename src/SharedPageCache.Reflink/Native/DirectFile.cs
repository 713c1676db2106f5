using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>A file that is read around the kernel's page cache.</summary>
internal static class DirectFile
{
    private const int GetFlags = 3;
    private const int SetFlags = 4;
    private const int DontNeed = 4;             // POSIX_FADV_DONTNEED

    /// <summary>O_DIRECT differs between processor families.</summary>
    public static int Flag =>
        RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64 ? 0x10000 : 0x4000;

    /// <summary>Opens a file. Others may go on writing, renaming and deleting it.</summary>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public static SafeFileHandle Open(string path, FileAccess access = FileAccess.Read) =>
        File.OpenHandle(path, FileMode.Open, access, FileShare.ReadWrite | FileShare.Delete);

    /// <summary>Switches an open file to unbuffered reads.</summary>
    /// <exception cref="IOException">The file system has none.</exception>
    public static void LeaveOutKernelCache(SafeFileHandle file, string path)
    {
        var flags = LibC.fcntl(file, GetFlags, 0);
        if (flags < 0 || LibC.fcntl(file, SetFlags, flags | Flag) != 0)
        {
            throw LibC.LastError("Switching to unbuffered reads (O_DIRECT)", path);
        }
    }

    /// <summary>Drops what the kernel's page cache holds of a file and is clean.</summary>
    public static void DropKernelCopy(SafeFileHandle file) => _ = LibC.posix_fadvise(file, 0, 0, DontNeed);
}
