using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Sqlite.Native;

/// <summary>An open directory: what Linux does with it and .NET has no call for.</summary>
internal sealed partial class Folder : IDisposable
{
    private const int CloseOnExec = 0x80000;    // O_CLOEXEC

    private readonly string _path;
    private readonly SafeFileHandle _handle;

    /// <exception cref="IOException">The file system failed.</exception>
    public Folder(string path)
    {
        _path = path;
        _handle = open(path, CloseOnExec, 0);
        if (_handle.IsInvalid)
        {
            throw Failure("Opening");
        }
    }

    /// <summary>When a name was last given or taken in it.</summary>
    public DateTime LastChange => File.GetLastWriteTimeUtc(_handle);

    /// <summary>Makes its names durable.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public void Flush()
    {
        if (fsync(_handle) != 0)
        {
            throw Failure("Flushing");
        }
    }

    public void Dispose() => _handle.Dispose();

    private IOException Failure(string what)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"{what} the directory '{_path}' failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error}).", error);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle file);
}
