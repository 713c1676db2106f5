using System.Diagnostics;
using System.Runtime.InteropServices;

namespace SharedPageCache.Measures;

/// <summary>
/// The clock of the rounds: the time that passes, or, on a machine that does other work, the time that the thread was given a processor for.
/// The second leaves out waits for a device; what others do to the caches it cannot leave out.
/// </summary>
public static class RoundClock
{
    private const int ThreadProcessorTime = 3;

    /// <summary>Whether processor time is counted.</summary>
    public static bool CountsProcessorTime { get; set; }

    /// <summary>Nanoseconds since some moment.</summary>
    public static double Now()
    {
        if (!CountsProcessorTime)
        {
            return Stopwatch.GetElapsedTime(0).TotalNanoseconds;
        }

        _ = clock_gettime(ThreadProcessorTime, out var time);
        return (time.Seconds * 1e9) + time.Nanoseconds;
    }

    [DllImport("libc")]
    private static extern int clock_gettime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
