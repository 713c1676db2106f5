using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using SharedPageCache.Reflink;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>A directory with reflinks: where the store is, and what bare reflinks in it cost the kernel in time and memory.</summary>
internal sealed class ReflinkLeg : IDisposable
{
    private const int Read = 8;

    private const nuint Request = 0x40049409;   // FICLONE

    private readonly List<double> _times = [];
    private readonly List<double> _calls = [];
    private readonly string _folder;

    public ReflinkLeg(string directory) =>
        _folder = Directory.CreateDirectory(Path.Combine(directory, $"sqlite-branches-{Guid.NewGuid():N}")).FullName;

    /// <summary>Where the store and the reflinks are.</summary>
    public string Folder => _folder;

    /// <summary>The directory of the store.</summary>
    public string Store => Path.Combine(_folder, "store") + Path.DirectorySeparatorChar;

    /// <summary>A bare reflink: a new file, the system call, and its end.</summary>
    public double MedianMicroseconds => Median(_times);

    /// <summary>The system call alone.</summary>
    public double MedianCallMicroseconds => Median(_calls);

    /// <summary>The median of what a branch took more than the system call of the reflink that was made beside it.</summary>
    public double MedianAboveCallMicroseconds { get; private set; }

    /// <summary>Compares each branch with its neighbour.</summary>
    /// <param name="branches">The times of the branches in microseconds, as they were made.</param>
    public void Compare(double[] branches) => MedianAboveCallMicroseconds = Median([.. branches.Zip(_calls, static (branch, call) => branch - call)]);

    /// <summary>Makes a reflink of the main database's file, which flushes nothing.</summary>
    public void MakeOne()
    {
        using SafeFileHandle origin = File.OpenHandle(Path.Combine(Store, BranchLeg.Main), share: FileShare.ReadWrite | FileShare.Delete);
        long start = Stopwatch.GetTimestamp();
        long call;
        using (SafeFileHandle reflink = File.OpenHandle(Path.Combine(_folder, $"reflink-{_times.Count}"), FileMode.CreateNew, FileAccess.ReadWrite))
        {
            call = Stopwatch.GetTimestamp();
            if (ioctl(reflink, Request, origin) != 0)
                throw new IOException($"FICLONE failed: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
            _calls.Add(Stopwatch.GetElapsedTime(call).TotalMicroseconds);
        }

        _times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
    }

    /// <summary>Reads a few of the reflinks as any program does, and asks the kernel how much it keeps of them.</summary>
    /// <returns>That, for as many as there are branches.</returns>
    public long KernelBytes(int branches)
    {
        long bytes = 0;
        byte[] buffer = new byte[1 << 20];
        for (int i = 0; i < Math.Min(Read, _times.Count); i++)
        {
            string path = Path.Combine(_folder, $"reflink-{i}");
            using (FileStream file = File.OpenRead(path))
            {
                while (file.Read(buffer) > 0)
                {
                }
            }

            bytes += OperatingSystem.IsLinux() ? KernelPageCache.GetCachedBytes(path) : throw new NotSupportedException("Reflinks are for Linux.");
        }

        return bytes / Math.Min(Read, _times.Count) * branches;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);

    [DllImport("libc", SetLastError = true)]
    private static extern int ioctl(SafeFileHandle file, nuint request, SafeFileHandle argument);
}
