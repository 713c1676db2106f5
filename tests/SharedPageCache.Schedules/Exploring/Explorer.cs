using System.Diagnostics;

namespace SharedPageCache.Schedules.Exploring;

/// <summary>Explores the schedules of one scenario.</summary>
internal sealed class Explorer(Scenario scenario, int bug = 0) : IDisposable
{
    private const int Depth = 3;
    private const int StepLimit = 50_000;

    private readonly Scheduler _scheduler = new() { Bug = bug };
    private int _horizon = 16;
    private int _longest;
    private long _steps;
    private int _run;

    /// <summary>What came out.</summary>
    /// <param name="Schedules">How many schedules ran.</param>
    /// <param name="Steps">Steps of the longest.</param>
    /// <param name="Elapsed">How long it took.</param>
    /// <param name="Failure">The report of the first that failed, or null.</param>
    /// <param name="Complete">Whether all schedules of two preemptions ran.</param>
    internal sealed record Result(int Schedules, int Steps, TimeSpan Elapsed, string? Failure, bool Complete);

    /// <summary>Random walks and PCT in turn, and for bounded scenarios preemptions, until one fails.</summary>
    public Result Explore(int schedules, ulong seed)
    {
        var watch = Stopwatch.StartNew();
        Planted.Bugs.Activate(bug);

        // The schedules of neighbouring seeds would be nearly the same.
        seed = new Dice(seed).Next();
        try
        {
            string? failure = null;
            for (var i = 0; i < schedules && failure is null; i++)
            {
                Choice choice = i % 3 == 0
                    ? new RandomWalk(seed + (ulong)i)
                    : new PriorityChoice(seed + (ulong)i, Depth, _horizon);
                failure = Try(choice);
            }

            var complete = false;
            if (scenario.Bounded && failure is null)
            {
                (failure, complete) = Enumerate(schedules, seed);
            }

            return new Result(_run, _longest, watch.Elapsed, failure, complete);
        }
        finally
        {
            Planted.Bugs.Activate(0);
        }
    }

    /// <summary>Runs one schedule with a trace.</summary>
    public string Replay(Choice choice)
    {
        Planted.Bugs.Activate(bug);
        try
        {
            var instance = scenario.Make(choice.Seed);
            var trace = new Trace(instance.Threads.Length, instance.NameOf);
            var failure = Run(instance, choice, trace);
            return $"{failure ?? "no failure"}\n{trace}";
        }
        finally
        {
            Planted.Bugs.Activate(0);
        }
    }

    public void Dispose() => _scheduler.Dispose();

    private string? Try(Choice choice)
    {
        var failure = Run(scenario.Make(choice.Seed), choice, trace: null);
        _run++;
        _steps += _scheduler.Steps;
        _longest = Math.Max(_longest, _scheduler.Steps);
        _horizon = (int)(_steps / _run);
        return failure is null ? null : Report(choice, failure);
    }

    private string? Run(Instance instance, Choice choice, Trace? trace)
    {
        var failure = _scheduler.Run(instance.Threads, choice, StepLimit, trace);
        if (failure is null)
        {
            try
            {
                instance.Check();
            }
            catch (Exception error)
            {
                failure = $"at the end: {error.GetType().Name}: {error.Message}\n{error.StackTrace}";
            }
        }

        return failure;
    }

    private string Report(Choice choice, string failure)
    {
        var line = $"{scenario.Name}|{(bug == 0 ? "" : Planted.Bugs.All[bug - 1].Name)}|{choice.Line}";
        return $"schedule {_run} of '{scenario.Name}' failed: {failure}\n"
            + $"replay: SPC_REPLAY='{line}' dotnet test tests/SharedPageCache.Schedules --filter Replay\n"
            + Replay(choice);
    }

    /// <summary>All schedules with up to two preemptions, or as many, spread evenly, as are wanted.</summary>
    private (string? Failure, bool Complete) Enumerate(int most, ulong seed)
    {
        var threads = scenario.Make(0).Threads.Length;
        var level = new List<(Preemptions Choice, int Steps)>();
        for (var first = 0; first < threads; first++)
        {
            level.Add((new Preemptions(first, []), 0));
        }

        var dice = new Dice(seed);
        var complete = true;
        for (var preemptions = 0; ; preemptions++)
        {
            for (var i = 0; i < level.Count; i++)
            {
                if (Try(level[i].Choice) is { } failure)
                {
                    return (failure, false);
                }

                level[i] = (level[i].Choice, _scheduler.Steps);
            }

            if (preemptions == 2)
            {
                return (null, complete);
            }

            var next = new List<(Preemptions, int)>();
            foreach (var (choice, steps) in level)
            {
                for (var step = choice.Steps is [.., var last] ? last + 1 : 1; step <= steps; step++)
                {
                    next.Add((new Preemptions(choice.First, [.. choice.Steps, step]), 0));
                }
            }

            if (next.Count > most)
            {
                complete = false;
                for (var i = 0; i < most; i++)
                {
                    var j = i + dice.Below(next.Count - i);
                    (next[i], next[j]) = (next[j], next[i]);
                }

                next.RemoveRange(most, next.Count - most);
            }

            level = next;
        }
    }
}
