using System.Globalization;
using System.Runtime.InteropServices;

namespace SharedPageCache.Measures;

/// <summary>Where and when figures were taken.</summary>
/// <param name="Processor">The processor's name.</param>
/// <param name="Cores">How many of its cores there were.</param>
/// <param name="MemoryBytes">How much memory.</param>
/// <param name="System">The operating system.</param>
/// <param name="Runtime">The runtime.</param>
/// <param name="Moment">When, in UTC.</param>
/// <param name="Load">
/// How many threads wanted a core on average in the minute before; a build right before the run counts for one or two. With more than there are cores the times say little.
/// </param>
public sealed record Machine(
    string Processor, int Cores, long MemoryBytes, string System, string Runtime, DateTime Moment, double Load)
{
    /// <summary>Whether the machine was doing other work when the run began.</summary>
    public bool IsBusy => Load > Cores + 0.5;

    /// <summary>How much of this process's memory lies in huge pages now, in bytes; 0 if the system does not say.</summary>
    public static long HugePageBytes() =>
        Lines("/proc/self/smaps_rollup").FirstOrDefault(static line => line.StartsWith("AnonHugePages:", StringComparison.Ordinal)) is { } line
        && long.TryParse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture, out var kilobytes) ? kilobytes << 10 : 0;

    /// <summary>This machine now.</summary>
    public static Machine Now() => new(
        Lines("/proc/cpuinfo").FirstOrDefault(static line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim()
            ?? RuntimeInformation.ProcessArchitecture.ToString(),
        Environment.ProcessorCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, NameOfSystem(), RuntimeInformation.FrameworkDescription,
        DateTime.UtcNow, LoadOfLastMinute());

    private static double LoadOfLastMinute() =>
        Lines("/proc/loadavg").FirstOrDefault() is { } line
        && double.TryParse(line.Split(' ')[0], CultureInfo.InvariantCulture, out var load) ? load : 0;

    private static string NameOfSystem() =>
        Lines("/etc/os-release").FirstOrDefault(static line => line.StartsWith("PRETTY_NAME=", StringComparison.Ordinal)) is { } line
            ? $"{line["PRETTY_NAME=".Length..].Trim('"')}, Linux {Lines("/proc/sys/kernel/osrelease").FirstOrDefault()}"
            : RuntimeInformation.OSDescription;

    private static string[] Lines(string path) => File.Exists(path) ? File.ReadAllLines(path) : [];
}
