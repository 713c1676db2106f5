using System.Collections.Concurrent;

namespace SharedPageCache.Reflink.Tests.Mounts;

/// <summary>A fresh file system in a sparse image file, mounted on a temporary folder until it is disposed.</summary>
public sealed class LoopMount : IDisposable
{
    private static readonly ConcurrentDictionary<FileSystemKind, string?> Obstacles = new();

    private readonly string _folder;

    private LoopMount(string folder)
    {
        _folder = folder;
        Root = Path.Combine(folder, "mnt");
        Image = Path.Combine(folder, "image");
    }

    /// <summary>The root of the mounted file system.</summary>
    public string Root { get; }

    /// <summary>The image file.</summary>
    public string Image { get; }

    /// <summary>Why a kind of file system cannot be made here, or null if it can; finds out by trying, once.</summary>
    public static string? WhyNot(FileSystemKind kind) => Obstacles.GetOrAdd(kind, FindObstacle);

    /// <param name="kind">The file system.</param>
    /// <param name="size">The size of the image in bytes.</param>
    /// <param name="options">Options of mkfs.</param>
    public static LoopMount Make(FileSystemKind kind, long size = 512L << 20, params string[] options)
    {
        var mount = new LoopMount(Directory.CreateTempSubdirectory("reflink-test-").FullName);
        try
        {
            using (var image = File.Create(mount.Image))
            {
                image.SetLength(size);
            }

            if (kind == FileSystemKind.Xfs)
            {
                Command.Run("mkfs.xfs", ["-q", "-m", "reflink=1", .. options, mount.Image]);
            }
            else
            {
                Command.Run("mkfs.btrfs", ["-q", .. options, mount.Image]);
            }

            mount.Mount(kind == FileSystemKind.CompressedBtrfs ? "loop,compress-force=zstd" : "loop");
            return mount;
        }
        catch
        {
            mount.Dispose();
            throw;
        }
    }

    /// <summary>An XFS on a disk whose sectors are larger than usual.</summary>
    public static LoopMount MakeOnLargeSectors(int sectorSize)
    {
        var mount = new LoopMount(Directory.CreateTempSubdirectory("reflink-test-").FullName);
        try
        {
            using (var image = File.Create(mount.Image))
            {
                image.SetLength(512L << 20);
            }

            var device = Command.Run("losetup", "--find", "--show", "--sector-size", $"{sectorSize}", mount.Image).Trim();
            try
            {
                Command.Run("mkfs.xfs", "-q", device);
                Directory.CreateDirectory(mount.Root);
                Command.Run("mount", device, mount.Root);
            }
            finally
            {
                // Of a disk that is mounted this says that it goes with its last user.
                Command.Run("losetup", "--detach", device);
            }

            return mount;
        }
        catch
        {
            mount.Dispose();
            throw;
        }
    }

    /// <summary>Mounts a byte for byte copy of an XFS image that is not mounted at the moment.</summary>
    public static LoopMount MakeTwin(string image)
    {
        var mount = new LoopMount(Directory.CreateTempSubdirectory("reflink-test-").FullName);
        try
        {
            Command.Run("cp", "--sparse=always", image, mount.Image);
            mount.Mount("loop,nouuid");
            return mount;
        }
        catch
        {
            mount.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Mounts the copy of an image that was made while it was mounted: what a machine finds that went down at that moment, if its device keeps what it was given. The
    /// image itself is not mounted any more.
    /// </summary>
    /// <param name="kind">What is in the image.</param>
    /// <param name="copy">The copy, made by <see cref="CopyTo"/>; it is moved.</param>
    public static LoopMount MakeAfterPowerCut(FileSystemKind kind, string copy)
    {
        var mount = new LoopMount(Directory.CreateTempSubdirectory("reflink-test-").FullName);
        try
        {
            File.Move(copy, mount.Image);
            mount.Mount(kind == FileSystemKind.Xfs ? "loop,nouuid" : "loop");
            return mount;
        }
        catch
        {
            mount.Dispose();
            throw;
        }
    }

    /// <summary>Copies the image as it is at this moment.</summary>
    public void CopyTo(string path) => Command.Run("cp", "--sparse=always", Image, path);

    public void Mount(string options)
    {
        Directory.CreateDirectory(Root);
        Command.Run("mount", "-o", options, Image, Root);
    }

    public void Unmount() => Command.Run("umount", Root);

    public void Dispose()
    {
        if (IsMounted(Root))
        {
            // A test that failed may have left files open: the mount goes at once, and the file system with the last of them.
            Command.Run("umount", "--lazy", Root);
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static bool IsMounted(string folder) =>
        File.ReadLines("/proc/self/mounts").Any(line => line.Split(' ')[1] == folder);

    private static string? FindObstacle(FileSystemKind kind)
    {
        if (!OperatingSystem.IsLinux())
        {
            return "Needs Linux.";
        }

        if (!Environment.IsPrivilegedProcess)
        {
            return "Needs root, to mount a file system image.";
        }

        // Tests on btrfs too clone and deduplicate ranges by xfs_io.
        var makesFileSystem = kind == FileSystemKind.Xfs ? ("mkfs.xfs", "xfsprogs") : ("mkfs.btrfs", "btrfs-progs");
        foreach (var (program, package) in new[] { makesFileSystem, ("xfs_io", "xfsprogs"), ("fallocate", "util-linux") })
        {
            if (!Command.Exists(program))
            {
                return $"Needs {program} (package {package}).";
            }
        }

        try
        {
            Make(kind).Dispose();
            return null;
        }
        catch (Exception error) when (error is InvalidOperationException or IOException)
        {
            return $"This system cannot mount an image: {error.Message}";
        }
    }
}
