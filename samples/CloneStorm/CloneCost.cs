using System.Diagnostics;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What one clone costs.</summary>
/// <param name="NanosecondsMedian">
/// The median of many clones, each timed alone, the reading of the clock included.
/// </param>
/// <param name="AllocatedBytes">The managed memory of one clone, the engine's share included.</param>
/// <param name="Samples">The number of clones that were timed.</param>
internal readonly record struct CloneCost(double NanosecondsMedian, long AllocatedBytes, int Samples)
{
    private const int Rounds = 50;
    private const int ClonesInRound = 200;

    // Long enough for the runtime to have compiled it with all optimisations, on a busy machine too.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    /// <summary>The number of clones that <see cref="Measure"/> times.</summary>
    public static int PlannedSamples => Rounds * ClonesInRound;

    /// <summary>Clones a file many times, clones of clones among them, and closes every clone again.</summary>
    /// <param name="origin">The file; a file that was read in full has the most to share.</param>
    /// <param name="step">Is told of each round.</param>
    /// <param name="cancellationToken">Ends the work early.</param>
    public static CloneCost Measure(MappedFile origin, ProgressStep step, CancellationToken cancellationToken)
    {
        var clones = new MappedFile[ClonesInRound];
        var ticks = new long[Rounds * ClonesInRound];

        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < WarmUp;)
            Round(origin, clones, ticks.AsSpan(0, ClonesInRound));

        long allocated = 0;
        for (int round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            allocated += Round(origin, clones, ticks.AsSpan(round * ClonesInRound, ClonesInRound));
            step.Advance(ClonesInRound);
        }

        ticks.AsSpan().Sort();
        double median = ticks[ticks.Length / 2] * 1e9 / Stopwatch.Frequency;
        return new CloneCost(median, allocated / ticks.Length, ticks.Length);
    }

    /// <summary>Times some clones; every second one is a clone of the one before.</summary>
    /// <returns>The bytes that were allocated for all of them.</returns>
    private static long Round(MappedFile origin, MappedFile[] clones, Span<long> ticks)
    {
        long allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < clones.Length; i++)
        {
            MappedFile from = i % 2 == 0 ? origin : clones[i - 1];
            long start = Stopwatch.GetTimestamp();
            clones[i] = from.Clone();
            ticks[i] = Stopwatch.GetTimestamp() - start;
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - allocatedBefore;
        foreach (MappedFile clone in clones)
            ImageClones.Close(clone);
        return allocated;
    }
}
