using System.Diagnostics;

namespace SharedPageCache.Measures;

/// <summary>
/// Times lanes in turn in one process, in many short rounds: what disturbs the machine disturbs all of them.
/// </summary>
/// <remarks>
/// The first lane is the reference, usually a raw copy. Rounds in which it took more than 1.3 times its own minimum are dropped, for
/// all lanes. A ratio is the median of the ratios of the kept rounds, never the ratio of two medians.
/// </remarks>
public sealed class Interleaved
{
    private const double Disturbed = 1.3;
    private const double WarmUpNanoseconds = 30e6;

    private readonly double[][] _times;
    private readonly int[] _kept;

    private Interleaved(double[][] times)
    {
        _times = times;
        var least = times[0].Min();
        _kept = [.. Enumerable.Range(0, times[0].Length).Where(round => times[0][round] <= least * Disturbed)];
    }

    /// <summary>How many times the lanes are warmed up, with a pause each, by how many batches at least, and how many rounds are run at least.</summary>
    public static (int WarmUps, int Batches, int Rounds) Least { get; set; } = (4, 10, 15);

    /// <summary>Rounds that were not disturbed, and all rounds.</summary>
    public (int Kept, int All) Rounds => (_kept.Length, _times[0].Length);

    /// <summary>Runs lanes until the time is over, at least a few rounds.</summary>
    /// <param name="budget">For how long, the warm-up not counted.</param>
    /// <param name="lanes">The lanes, the reference first.</param>
    public static Interleaved Run(TimeSpan budget, params IReadOnlyList<Lane> lanes)
    {
        var number = 0;
        for (var i = 0; i < Least.WarmUps; i++)
        {
            foreach (var lane in lanes)
            {
                // By processor time on a busy machine, and by count: the runtime compiles again what was called often enough.
                var begin = RoundClock.Now();
                var batches = 0;
                do
                {
                    Time(lane, number++);
                }
                while (++batches < Least.Batches || RoundClock.Now() - begin < WarmUpNanoseconds);
            }

            // The runtime compiles again in the background what has turned out to be hot.
            Thread.Sleep(110);
        }

        var times = lanes.Select(static _ => new List<double>()).ToArray();
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < budget || times[0].Count < Least.Rounds)
        {
            // Each lane is the first of a round as often as the others.
            var first = times[0].Count;
            for (var i = 0; i < lanes.Count; i++)
            {
                var turn = (first + i) % lanes.Count;
                times[turn].Add(Time(lanes[turn], number++));
            }
        }

        return new Interleaved([.. times.Select(static lane => lane.ToArray())]);
    }

    /// <summary>The median over the kept rounds of a figure that is made from one round's times of all lanes.</summary>
    public double Of(Func<Func<int, double>, double> figure) => Median(_kept.Select(round => figure(lane => _times[lane][round])));

    /// <summary>Nanoseconds an operation of a lane, median of the kept rounds.</summary>
    public double Nanoseconds(int lane) => Median(_kept.Select(round => _times[lane][round]));

    /// <summary>How many times as long one lane takes as another, median of the kept rounds' ratios.</summary>
    public double Ratio(int lane, int to) => Median(_kept.Select(round => _times[lane][round] / _times[to][round]));

    /// <summary>The median of differences between two lanes in nanoseconds an operation.</summary>
    public double Difference(int lane, int from) => Median(_kept.Select(round => _times[lane][round] - _times[from][round]));

    /// <summary>The median.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : sorted[sorted.Length / 2];
    }

    private static double Time(Lane lane, int number)
    {
        lane.Prepare?.Invoke();
        if (lane.Timed is not null)
        {
            return lane.Timed(number);
        }

        var begin = RoundClock.Now();
        lane.Batch(number);
        return (RoundClock.Now() - begin) / lane.Operations;
    }
}
