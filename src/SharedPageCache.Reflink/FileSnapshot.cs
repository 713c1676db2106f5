using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink.Native;

namespace SharedPageCache.Reflink;

/// <summary>A file at one moment: its stamp and where its content lay then.</summary>
/// <param name="Stamp">The stamp, the same before and after the question for the extents.</param>
/// <param name="Table">The extents.</param>
internal sealed record FileSnapshot(FileStamp Stamp, ExtentTable Table)
{
    private const int Attempts = 5;

    /// <summary>
    /// Before Linux 6.13 times move with the timer tick only (at most 10 ms): a second change in one tick leaves no trace.
    /// </summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    private static readonly bool TimesAreExact =
        OperatingSystem.IsLinux() && Environment.OSVersion.Version >= new Version(6, 13);

    /// <summary>
    /// Takes the snapshot of an open file: waits out the resolution of its times, writes its dirty pages back, and asks
    /// for stamp, extents and stamp again until both stamps agree and all blocks have their final place.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="path">Its path, for messages.</param>
    /// <param name="blockSize">The file system's block size.</param>
    /// <exception cref="ReflinkFileChangedException">Somebody kept changing the file.</exception>
    /// <exception cref="IOException">The file system failed.</exception>
    public static FileSnapshot Take(SafeFileHandle file, string path, int blockSize)
    {
        var addressesCount = !FileSystemStatus.IsOnRealtimeDevice(file);
        for (var attempt = 1; ; attempt++)
        {
            var before = TakeSettledStamp(file, path);
            var raw = ExtentQuery.Read(file, path, 0, long.MaxValue, sync: true);
            var after = FileStatus.Of(file, path).Stamp;
            var isSettled = !raw.Exists(static extent => (extent.Flags & PhysicalExtentFlags.DelayedAllocation) != 0);
            if (before == after && (isSettled || attempt == Attempts))
            {
                return new FileSnapshot(after, ExtentTable.From(raw, after.Size, blockSize, addressesCount));
            }

            if (attempt == Attempts)
            {
                throw new ReflinkFileChangedException(
                    path, before.ChangesTo(after, ReflinkChangeCheck.ChangeTime),
                    $"somebody keeps changing it ({before.DescribeChangesTo(after)})");
            }

            Thread.Sleep(attempt);
        }
    }

    private static FileStamp TakeSettledStamp(SafeFileHandle file, string path)
    {
        var stamp = FileStatus.Of(file, path).Stamp;
        if (!TimesAreExact && stamp.LastTime.AgeAt(DateTimeOffset.UtcNow) is var age && age.Duration() < Tick)
        {
            Thread.Sleep(Tick);
            stamp = FileStatus.Of(file, path).Stamp;
        }

        return stamp;
    }
}
