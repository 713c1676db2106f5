using System.Diagnostics;
using SharedPageCache.Reflink;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>A directory with reflinks: where the store is, and what bare reflinks in it cost the kernel in time and memory.</summary>
internal sealed class ReflinkLeg : IDisposable
{
    private const int Read = 8;

    private readonly string _folder;
    private readonly string _origin;
    private readonly List<double> _times = [];

    public ReflinkLeg(string directory, SourceDatabase source)
    {
        _folder = Directory.CreateDirectory(Path.Combine(directory, $"sqlite-branches-{Guid.NewGuid():N}")).FullName;
        _origin = Path.Combine(_folder, "origin");
        File.Copy(source.Path, _origin);
    }

    /// <summary>The directory of the store.</summary>
    public string Store => Path.Combine(_folder, "store") + Path.DirectorySeparatorChar;

    public double MedianMicroseconds => _times.Order().ElementAt(_times.Count / 2);

    /// <summary>Copies the file by the system's own call, which shares the blocks where the file system can.</summary>
    public void MakeOne()
    {
        string copy = Path.Combine(_folder, $"reflink-{_times.Count}");
        long start = Stopwatch.GetTimestamp();
        File.Copy(_origin, copy);
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
}
