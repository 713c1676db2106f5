namespace SharedPageCache.Schedules.Exploring;

/// <summary>Who runs next: the one thing that tells one schedule from another.</summary>
internal abstract class Choice
{
    /// <summary>One line from which <see cref="Parse"/> makes the same choice again.</summary>
    public abstract string Line { get; }

    /// <summary>The seed, also for what a random program does; 0 if there is none.</summary>
    public virtual ulong Seed => 0;

    /// <summary>Whether to switch after operations too, not only before them.</summary>
    public virtual bool IsDense => false;

    /// <summary>Called before each schedule.</summary>
    public abstract void Begin(int threads);

    /// <summary>Chooses among the runnable threads.</summary>
    /// <param name="current">The thread that runs now, or -1 if it cannot go on.</param>
    /// <param name="runnable">A bit for each thread that can run; never 0.</param>
    /// <param name="step">The number of the step, from 1.</param>
    public abstract int Next(int current, uint runnable, int step);

    /// <summary>A thread spins: fair schedules let others go first.</summary>
    public virtual void Spun(int thread)
    {
    }

    public static Choice Parse(string line)
    {
        var parts = line.Split(':');
        return parts[0] switch
        {
            "random" => new RandomWalk(ulong.Parse(parts[1])),
            "pct" => new PriorityChoice(ulong.Parse(parts[1]), int.Parse(parts[2]), int.Parse(parts[3])),
            "preempt" => new Preemptions(
                int.Parse(parts[1]), [.. parts[2].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)]),
            _ => throw new FormatException($"'{line}' is no schedule."),
        };
    }

    protected static int Nth(uint runnable, int n)
    {
        for (; n > 0; n--)
        {
            runnable &= runnable - 1;
        }

        return System.Numerics.BitOperations.TrailingZeroCount(runnable);
    }
}

/// <summary>SplitMix64 (G. L. Steele and others, OOPSLA 2014).</summary>
internal struct Dice(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        var mixed = _state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    public int Below(int bound) => (int)Math.BigMul(Next(), (ulong)bound, out _);
}

/// <summary>
/// A random walk: at each step the running thread goes on, or with the probability of this schedule (a quarter to a thirty-second) any
/// runnable thread is drawn.
/// </summary>
internal sealed class RandomWalk(ulong seed) : Choice
{
    private Dice _dice;
    private ulong _mask;
    private bool _dense;

    public override string Line => $"random:{seed}";

    public override ulong Seed => seed;

    public override bool IsDense => _dense;

    public override void Begin(int threads)
    {
        _dice = new Dice(seed);
        var shape = _dice.Next();
        _mask = (4UL << (int)(shape % 4)) - 1;
        _dense = (shape >> 8) % 8 == 0;
    }

    public override int Next(int current, uint runnable, int step)
    {
        if (current >= 0 && (_dice.Next() & _mask) != 0)
        {
            return current;
        }

        return Nth(runnable, _dice.Below(System.Numerics.BitOperations.PopCount(runnable)));
    }
}

/// <summary>
/// Probabilistic concurrency testing (S. Burckhardt and others, ASPLOS 2010): random priorities, the highest runs, and at depth - 1
/// random steps the running thread falls behind all others. A spinning thread falls behind too.
/// </summary>
internal sealed class PriorityChoice(ulong seed, int depth, int horizon) : Choice
{
    private readonly int[] _priorities = new int[32];
    private readonly int[] _changes = new int[depth - 1];
    private int _lowest;
    private bool _dense;

    public override string Line => $"pct:{seed}:{depth}:{horizon}";

    public override ulong Seed => seed;

    public override bool IsDense => _dense;

    public override void Begin(int threads)
    {
        var dice = new Dice(seed);
        for (var i = 0; i < threads; i++)
        {
            _priorities[i] = i;
        }

        for (var i = threads - 1; i > 0; i--)
        {
            var j = dice.Below(i + 1);
            (_priorities[i], _priorities[j]) = (_priorities[j], _priorities[i]);
        }

        for (var i = 0; i < _changes.Length; i++)
        {
            _changes[i] = 1 + dice.Below(Math.Max(1, horizon));
        }

        _lowest = -1;
        _dense = dice.Below(4) == 0;
    }

    public override int Next(int current, uint runnable, int step)
    {
        if (current >= 0 && Array.IndexOf(_changes, step) >= 0)
        {
            _priorities[current] = _lowest--;
        }

        var best = -1;
        for (var rest = runnable; rest != 0; rest &= rest - 1)
        {
            var thread = System.Numerics.BitOperations.TrailingZeroCount(rest);
            if (best < 0 || _priorities[thread] > _priorities[best])
            {
                best = thread;
            }
        }

        return best;
    }

    public override void Spun(int thread) => _priorities[thread] = _lowest--;
}

/// <summary>Runs a thread until it cannot go on or has reached one of the given steps; then the next one in turn.</summary>
internal sealed class Preemptions(int first, int[] steps) : Choice
{
    private int _threads;
    private int _last;

    public override string Line => $"preempt:{first}:{string.Join(',', steps)}";

    public int First => first;

    public int[] Steps => steps;

    public override void Begin(int threads) => (_threads, _last) = (threads, first);

    public override int Next(int current, uint runnable, int step) => _last = step == 0 ? first : After(current, runnable, step);

    /// <summary>In turn from the last one that ran: two who spin do not keep a third from going on.</summary>
    private int After(int current, uint runnable, int step)
    {

        if (current >= 0 && Array.IndexOf(steps, step) < 0)
        {
            return current;
        }

        for (var i = 1; i <= _threads; i++)
        {
            var thread = (_last + i) % _threads;
            if ((runnable >> thread & 1) != 0 && thread != current)
            {
                return thread;
            }
        }

        return Nth(runnable, 0);
    }
}
