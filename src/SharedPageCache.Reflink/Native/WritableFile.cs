using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace SharedPageCache.Reflink.Native;

/// <summary>What is done to a file beside writing bytes: holes, clones, names.</summary>
internal static unsafe class WritableFile
{
    private const uint CloneRequest = 0x40049409;   // FICLONE
    private const uint CloneRangeRequest = 0x4020940D;   // FICLONERANGE
    private const uint DedupeRequest = 0xC0189436;   // FIDEDUPERANGE
    private const int KeepSize = 1;                 // FALLOC_FL_KEEP_SIZE
    private const int Punch = 2;                    // FALLOC_FL_PUNCH_HOLE
    private const int CurrentFolder = -100;         // AT_FDCWD
    private const int FollowLink = 0x400;           // AT_SYMLINK_FOLLOW
    private const int ReadWrite = 2;                // O_RDWR
    private const int CloseOnExec = 0x80000;        // O_CLOEXEC
    private const int Unnamed = 0x400000;           // O_TMPFILE without O_DIRECTORY
    private const uint NoReplace = 1;               // RENAME_NOREPLACE

    /// <summary>O_DIRECTORY differs between processor families.</summary>
    private static int FolderFlag =>
        System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture
            is System.Runtime.InteropServices.Architecture.Arm or System.Runtime.InteropServices.Architecture.Arm64 ? 0x4000 : 0x10000;

    /// <summary>Opens the file of a descriptor once more, for writes through the kernel's page cache.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="ObjectDisposedException">The descriptor is closed.</exception>
    public static SafeFileHandle OpenAgain(SafeFileHandle file)
    {
        var isHeld = false;
        file.DangerousAddRef(ref isHeld);
        try
        {
            return DirectFile.Open(NameOf(file), FileAccess.ReadWrite);
        }
        finally
        {
            file.DangerousRelease();
        }
    }

    /// <summary>Makes a range a hole; the length stays.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static void PunchHole(SafeFileHandle file, string path, long offset, long length)
    {
        if (LibC.fallocate(file, Punch | KeepSize, offset, length) != 0)
        {
            throw LibC.LastError("Punching a hole", path);
        }
    }

    /// <summary>Makes an empty file without a name in a folder, set to unbuffered reads and writes.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="mode">Its permissions, of which the process may withhold some (umask).</param>
    /// <exception cref="IOException">The file system failed.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission to write to the folder.</exception>
    public static SafeFileHandle CreateUnnamed(string folder, UnixFileMode mode)
    {
        var descriptor = LibC.open(folder, ReadWrite | CloseOnExec | Unnamed | FolderFlag | DirectFile.Flag, (uint)mode);
        return descriptor >= 0
            ? new SafeFileHandle(descriptor, ownsHandle: true)
            : throw LibC.LastError("Making a file without a name", folder);
    }

    /// <summary>Makes an empty file show the blocks of another one (FICLONE).</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static void Clone(SafeFileHandle source, SafeFileHandle target, string path)
    {
        var isHeld = false;
        source.DangerousAddRef(ref isHeld);
        try
        {
            var begun = ReflinkMeter.BeginClone();
            if (LibC.ioctl(target, CloneRequest, (void*)source.DangerousGetHandle()) != 0)
            {
                throw LibC.LastError("Cloning (FICLONE)", path);
            }

            ReflinkMeter.EndClone(begun);
        }
        finally
        {
            source.DangerousRelease();
        }
    }

    /// <summary>Sets the permissions of an open file.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static void SetMode(SafeFileHandle file, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(file, mode);
        }
    }

    /// <summary>Makes a range of a file show the blocks of a range of another one (FICLONERANGE).</summary>
    /// <param name="source">The file that has them.</param>
    /// <param name="sourceOffset">First byte in the source, a multiple of the block size, as all three numbers.</param>
    /// <param name="target">The file that gets them.</param>
    /// <param name="offset">First byte in the target.</param>
    /// <param name="length">Length in bytes; inside both files.</param>
    /// <param name="path">The target's name.</param>
    /// <exception cref="IOException">The file system failed.</exception>
    public static void CloneRange(SafeFileHandle source, long sourceOffset, SafeFileHandle target, long offset, long length, string path)
    {
        var isHeld = false;
        source.DangerousAddRef(ref isHeld);
        try
        {
            // struct file_clone_range: the source's descriptor, its offset, the length, the target's offset.
            var range = stackalloc long[] { source.DangerousGetHandle(), sourceOffset, length, offset };
            if (LibC.ioctl(target, CloneRangeRequest, range) != 0)
            {
                throw LibC.LastError("Cloning a range (FICLONERANGE)", path);
            }
        }
        finally
        {
            source.DangerousRelease();
        }
    }

    /// <summary>Has the file system compare two ranges and share their blocks as far as they are equal (FIDEDUPERANGE).</summary>
    /// <param name="source">The file whose blocks stay.</param>
    /// <param name="sourceOffset">First byte in the source, a multiple of the block size.</param>
    /// <param name="target">The file that gets them, open for writing.</param>
    /// <param name="offset">First byte in the target, a multiple of the block size.</param>
    /// <param name="length">Length in bytes, a multiple of the block size unless both files end there.</param>
    /// <param name="path">The target's name.</param>
    /// <returns>How many bytes are shared; 0 if the ranges differ.</returns>
    /// <exception cref="IOException">The file system failed.</exception>
    public static long Dedupe(SafeFileHandle source, long sourceOffset, SafeFileHandle target, long offset, long length, string path)
    {
        var isHeld = false;
        target.DangerousAddRef(ref isHeld);
        try
        {
            // struct file_dedupe_range: the source's offset, the length, one range (16 bits, the rest reserved); then of the range the target's descriptor, its offset, the bytes
            // that were shared, and what came of it: 1 if they differ, an error number less than 0.
            var range = stackalloc long[] { sourceOffset, length, 1, target.DangerousGetHandle(), offset, 0, 0 };
            if (LibC.ioctl(source, DedupeRequest, range) != 0)
            {
                throw LibC.LastError("Sharing equal ranges (FIDEDUPERANGE)", path);
            }

            var status = (int)range[6];
            return status < 0 ? throw LibC.Error("Sharing equal ranges (FIDEDUPERANGE)", path, -status) : status == 0 ? range[5] : 0;
        }
        finally
        {
            target.DangerousRelease();
        }
    }

    /// <summary>Gives a file without a name one, if nobody has it.</summary>
    /// <exception cref="IOException">The name is taken, or the file system failed.</exception>
    public static void Link(SafeFileHandle file, string path)
    {
        var isHeld = false;
        file.DangerousAddRef(ref isHeld);
        try
        {
            if (LibC.linkat(CurrentFolder, NameOf(file), CurrentFolder, path, FollowLink) != 0)
            {
                throw LibC.LastError("Giving a clone its name", path);
            }
        }
        finally
        {
            file.DangerousRelease();
        }
    }

    /// <summary>Gives a file another name, if nobody has it.</summary>
    /// <exception cref="IOException">The name is taken, or the file system failed.</exception>
    public static void Rename(string path, string newPath)
    {
        if (LibC.renameat2(CurrentFolder, path, CurrentFolder, newPath, NoReplace) != 0)
        {
            throw LibC.LastError("Giving a clone its name", newPath);
        }
    }

    /// <summary>Makes durable what was done to the whole file system of a file.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static void FlushFileSystem(SafeFileHandle file, string path)
    {
        if (LibC.syncfs(file) != 0)
        {
            throw LibC.LastError("Flushing the file system (syncfs)", path);
        }
    }

    /// <summary>Makes the names in the folder of a file durable.</summary>
    /// <exception cref="IOException">The file system failed.</exception>
    public static void FlushFolder(string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        var descriptor = LibC.open(folder, CloseOnExec | FolderFlag, 0);
        if (descriptor < 0)
        {
            throw LibC.LastError("Opening the folder", folder);
        }

        using var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (LibC.fsync(handle) != 0)
        {
            throw LibC.LastError("Flushing the folder", folder);
        }
    }

    private static string NameOf(SafeFileHandle file) =>
        string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file.DangerousGetHandle()}");
}
