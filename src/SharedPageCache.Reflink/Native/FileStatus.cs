using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>What statx(2) says about an open file. The layout is the kernel's and the same on every processor.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal unsafe struct FileStatus
{
    private const int EmptyPath = 0x1000;       // AT_EMPTY_PATH: the descriptor itself
    private const uint Basic = 0x7FF;           // STATX_BASIC_STATS
    private const uint BirthTime = 0x800;       // STATX_BTIME: XFS and btrfs have it
    private const uint DirectAlignment = 0x2000; // STATX_DIOALIGN
    private const ushort TypeMask = 0xF000;
    private const ushort RegularType = 0x8000;
    private const ushort ModeMask = 0xFFF;

    [FieldOffset(0)] private readonly uint _mask;
    [FieldOffset(16)] private readonly uint _linkCount;
    [FieldOffset(28)] private readonly ushort _mode;
    [FieldOffset(32)] private readonly ulong _inode;
    [FieldOffset(40)] private readonly ulong _size;
    [FieldOffset(80)] private readonly long _birthSeconds;
    [FieldOffset(88)] private readonly uint _birthNanoseconds;
    [FieldOffset(96)] private readonly long _changeSeconds;
    [FieldOffset(104)] private readonly uint _changeNanoseconds;
    [FieldOffset(112)] private readonly long _modificationSeconds;
    [FieldOffset(120)] private readonly uint _modificationNanoseconds;
    [FieldOffset(136)] private readonly uint _deviceMajor;
    [FieldOffset(140)] private readonly uint _deviceMinor;
    [FieldOffset(152)] private readonly uint _directMemoryAlignment;

    public readonly bool IsRegularFile => (_mode & TypeMask) == RegularType;

    /// <summary>The permissions.</summary>
    public readonly UnixFileMode Mode => (UnixFileMode)(_mode & ModeMask);

    /// <summary>Which inode it is.</summary>
    public readonly FileKey Key => new(Device, _inode, new FileTime(_birthSeconds, _birthNanoseconds));

    /// <summary>The device number as the kernel keeps it: 12 bits of major, 20 bits of minor.</summary>
    public readonly uint Device => _deviceMajor << 20 | _deviceMinor & 0xFFFFF;

    /// <summary>How buffers of unbuffered reads must be aligned, or 0 if the file system does not say.</summary>
    public readonly int DirectMemoryAlignment =>
        (_mask & DirectAlignment) != 0 ? (int)_directMemoryAlignment : 0;

    public readonly FileStamp Stamp => new(
        (long)_size,
        new FileTime(_modificationSeconds, _modificationNanoseconds),
        new FileTime(_changeSeconds, _changeNanoseconds),
        _linkCount);

    /// <summary>Asks for the status of an open file.</summary>
    /// <exception cref="IOException">The call failed.</exception>
    /// <exception cref="ObjectDisposedException">The descriptor is closed.</exception>
    public static FileStatus Of(SafeFileHandle file, string path)
    {
        FileStatus status;
        byte empty = 0;
        if (LibC.statx(file, &empty, EmptyPath, Basic | BirthTime | DirectAlignment, &status) != 0)
        {
            throw LibC.LastError("statx", path);
        }

        return status;
    }

    /// <summary>
    /// Whether a path names something else than a regular file: opening a pipe would wait for its writer. False also for
    /// what does not exist or cannot be looked at; opening that says why.
    /// </summary>
    public static bool IsSpecial(string path)
    {
        const int currentFolder = -100;         // AT_FDCWD
        FileStatus status;
        return LibC.statxOfPath(currentFolder, path, 0, Basic, &status) == 0 && !status.IsRegularFile;
    }
}
