using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Sqlite.Native;

/// <summary>What Linux does with directories and .NET has no call for.</summary>
internal static partial class Folder
{
    private const int CloseOnExec = 0x80000;    // O_CLOEXEC

    /// <summary>Makes the names in a directory durable.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static void Flush(string path)
    {
        using var folder = open(path, CloseOnExec, 0);
        if (folder.IsInvalid || fsync(folder) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            throw new IOException($"Flushing the directory '{path}' failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error}).", error);
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle file);
}
