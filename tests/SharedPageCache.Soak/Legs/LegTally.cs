using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using SharedPageCache.TestKit.Runs;
using Xunit.Abstractions;

namespace SharedPageCache.Soak.Legs;

/// <summary>The rounds of a leg on several threads: what they counted, and the first that failed. Thread-safe.</summary>
/// <param name="budget">When it is enough.</param>
/// <param name="unit">The count that the budget is compared with.</param>
internal sealed partial class LegTally(LegBudget budget, string unit)
{
    private readonly Lock _lock = new();
    private readonly List<KeyValuePair<string, long>> _counts = [];
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private string? _failure;
    private string? _replay;
    private int _begun;

    /// <summary>Runs rounds until it is enough; at least one for each thread.</summary>
    /// <param name="round">A round: its number, and a seed of its own.</param>
    /// <param name="tell">Told after each round what was counted.</param>
    /// <param name="replayOf">The line that runs a round again.</param>
    /// <param name="rounds">How many rounds there are, if there is an end to them.</param>
    public LegReport Run(Action<int, ulong> round, Action<string> tell, Func<int, ulong, string> replayOf, int rounds = int.MaxValue)
    {
        var threads = Enumerable.Range(0, Math.Min(budget.Threads, rounds)).Select(_ => new Thread(() =>
        {
            while (TryBegin(rounds, out var number))
            {
                var seed = Dice.Mix(budget.Seed, (ulong)number) >> 16;
                try
                {
                    round(number, seed);
                }
                catch (Exception error)
                {
                    Fail(error.ToString(), replayOf(number, seed));
                }

                tell(ToString());
            }
        })).ToArray();
        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        lock (_lock)
        {
            return new LegReport([.. _counts], _failure, _replay);
        }
    }

    public void Add(string what, long count)
    {
        lock (_lock)
        {
            var i = _counts.FindIndex(pair => pair.Key == what);
            if (i < 0)
            {
                _counts.Add(new(what, count));
            }
            else
            {
                _counts[i] = new(what, _counts[i].Value + count);
            }
        }
    }

    public void Fail(string failure, string replay)
    {
        lock (_lock)
        {
            (_failure, _replay) = _failure is null ? (failure, replay) : (_failure, _replay);
        }
    }

    /// <summary>What a test writes about what it has done, as counts: each "123 of something" of a line is one.</summary>
    public ITestOutputHelper Listener(params string[] ignored) => new Output(this, ignored);

    public override string ToString()
    {
        lock (_lock)
        {
            return string.Join(", ", _counts.Select(static count => string.Create(CultureInfo.InvariantCulture, $"{count.Value:n0} {count.Key}")));
        }
    }

    [GeneratedRegex(@"(?<![\w.])(?<number>\d+(,\d{3})*) (?<what>[a-z][a-z ]*[a-z])")]
    private static partial Regex Count();

    private bool TryBegin(int rounds, out int number)
    {
        lock (_lock)
        {
            number = _begun;
            var done = _counts.Find(pair => pair.Key == unit).Value;
            var begins = _failure is null && _begun < rounds && (_begun < budget.Threads || (done < budget.Count && _watch.Elapsed < budget.Time));
            _begun += begins ? 1 : 0;
            return begins;
        }
    }

    private sealed class Output(LegTally tally, string[] ignored) : ITestOutputHelper
    {
        public void WriteLine(string message)
        {
            foreach (var match in Count().Matches(message).Where(match => !ignored.Contains(match.Groups["what"].Value)))
            {
                tally.Add(
                    match.Groups["what"].Value,
                    long.Parse(match.Groups["number"].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture));
            }
        }

        public void WriteLine(string format, params object[] args) => WriteLine(string.Format(CultureInfo.InvariantCulture, format, args));
    }
}
