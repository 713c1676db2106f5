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

    private readonly List<double> _reflinks = [];
    private readonly List<double> _reflinksAboveCall = [];
    private readonly List<double> _branchCalls = [];
    private readonly List<double> _branchesAboveCall = [];
    private readonly CloneClock _clock = new();
    private readonly string _folder;

    public ReflinkLeg(string directory) =>
        _folder = Directory.CreateDirectory(Path.Combine(directory, $"sqlite-branches-{Guid.NewGuid():N}")).FullName;

    /// <summary>Where the store and the reflinks are.</summary>
    public string Folder => _folder;

    /// <summary>The directory of the store.</summary>
    public string Store => Path.Combine(_folder, "store") + Path.DirectorySeparatorChar;

    /// <summary>A bare reflink: a new file, the system call, and its end.</summary>
    public double MedianMicroseconds => Median(_reflinks);

    /// <summary>What of a bare reflink is not the system call.</summary>
    public double MedianAboveCallMicroseconds => Median(_reflinksAboveCall);

    /// <summary>The system call alone, in the branches.</summary>
    public double MedianBranchCallMicroseconds => Median(_branchCalls);

    /// <summary>What of a branch is not the system call that it made.</summary>
    public double MedianBranchAboveCallMicroseconds => Median(_branchesAboveCall);

    /// <summary>The same, the mean: every eighth branch makes files for the next ones.</summary>
    public double MeanBranchAboveCallMicroseconds => _branchesAboveCall.Average();

    /// <summary>A branch was made since the last one.</summary>
    /// <param name="microseconds">How long it took, with the system call.</param>
    public void NoteBranch(double microseconds)
    {
        double call = _clock.TakeMicroseconds();
        _branchCalls.Add(call);
        _branchesAboveCall.Add(microseconds - call);
    }

    /// <summary>Makes a reflink of the main database's file, which flushes nothing.</summary>
    public void MakeOne()
    {
        using SafeFileHandle origin = File.OpenHandle(Path.Combine(Store, BranchLeg.Main), share: FileShare.ReadWrite | FileShare.Delete);
        long start = Stopwatch.GetTimestamp();
        double call;
        using (SafeFileHandle reflink = File.OpenHandle(Path.Combine(_folder, $"reflink-{_reflinks.Count}"), FileMode.CreateNew, FileAccess.ReadWrite))
        {
            long called = Stopwatch.GetTimestamp();
            if (ioctl(reflink, Request, origin) != 0)
                throw new IOException($"FICLONE failed: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
            call = Stopwatch.GetElapsedTime(called).TotalMicroseconds;
        }

        _reflinks.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        _reflinksAboveCall.Add(_reflinks[^1] - call);
    }

    /// <summary>Reads a few of the reflinks as any program does, and asks the kernel how much it keeps of them.</summary>
    /// <returns>That, for as many as there are branches.</returns>
    public long KernelBytes(int branches)
    {
        long bytes = 0;
        byte[] buffer = new byte[1 << 20];
        for (int i = 0; i < Math.Min(Read, _reflinks.Count); i++)
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

        return bytes / Math.Min(Read, _reflinks.Count) * branches;
    }

    public void Dispose()
    {
        _clock.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);

    [DllImport("libc", SetLastError = true)]
    private static extern int ioctl(SafeFileHandle file, nuint request, SafeFileHandle argument);
}
