using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SharedPageCache.Reflink;

/// <summary>What the package tells whoever listens to its meter, <c>SharedPageCache.Reflink</c>.</summary>
/// <remarks>Thread-safe. While nobody listens an instrument costs a look. Who listens is called by the thread that makes the clone, while locks are held.</remarks>
internal static class ReflinkMeter
{
    public const string Name = "SharedPageCache.Reflink";

    private static readonly Meter Source = new(Name);

    private static readonly Histogram<double> CloneDuration = Source.CreateHistogram<double>(
        "sharedpagecache.reflink.clone.duration", "s", "Time that the file system took to clone a file (FICLONE), without what was done before and after the call.");

    /// <summary>The moment before a clone, if somebody wants to know how long it takes; else 0.</summary>
    public static long BeginClone() => CloneDuration.Enabled ? Stopwatch.GetTimestamp() : 0;

    /// <summary>Tells how long a clone has taken.</summary>
    /// <param name="begun">What <see cref="BeginClone"/> said.</param>
    public static void EndClone(long begun)
    {
        if (begun != 0)
        {
            CloneDuration.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds);
        }
    }
}
