using System.Diagnostics;
using SharedPageCache.Reflink.Tests.Mounts;

namespace SharedPageCache.Sqlite.Tests.Support;

/// <summary>The file systems that all tests of this process share; each is made when the first test asks for it.</summary>
internal static class Mounts
{
    private const long Bytes = 2L << 30;

    private static readonly Lazy<LoopMount> s_xfs = new(static () => Make(FileSystemKind.Xfs));
    private static readonly Lazy<LoopMount> s_btrfs = new(static () => Make(FileSystemKind.Btrfs));

    /// <summary>A new folder in a file system of a kind; for the home in a file, in the folder for temporary files.</summary>
    public static string NewFolder(HomeKind kind)
    {
        var parent = kind switch
        {
            HomeKind.File => Path.GetTempPath(),
            HomeKind.Xfs => s_xfs.Value.Root,
            _ => s_btrfs.Value.Root,
        };
        return Directory.CreateDirectory(Path.Combine(parent, $"spc-sqlite-{Guid.NewGuid():N}")).FullName;
    }

    /// <summary>When no test runs any more.</summary>
    public static void DisposeAll()
    {
        foreach (var mount in new[] { s_xfs, s_btrfs }.Where(static mount => mount.IsValueCreated))
        {
            mount.Value.Dispose();
        }
    }

    private static LoopMount Make(FileSystemKind kind)
    {
        var mount = LoopMount.Make(kind, Bytes);

        // It is there as long as it is mounted, and then nothing is left to be deleted.
        File.Delete(mount.Image);
        TakeAwayAfterThisProcess(mount);
        return mount;
    }

    /// <summary>Whoever runs tests may end their process when the last one is over, in the middle of an unmounting.</summary>
    private static void TakeAwayAfterThisProcess(LoopMount mount)
    {
        var folder = Path.GetDirectoryName(mount.Root)!;
        var wait = $"while kill -0 {Environment.ProcessId}; do sleep 1; done; umount --lazy '{mount.Root}'; rmdir '{mount.Root}' '{folder}'";
        Process.Start("/bin/sh", ["-c", $"({wait}) </dev/null >/dev/null 2>&1 &"]).WaitForExit();
    }
}
