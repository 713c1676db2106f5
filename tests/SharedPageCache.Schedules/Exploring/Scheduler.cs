namespace SharedPageCache.Schedules.Exploring;

/// <summary>
/// Runs the threads of a scenario one at a time. A thread comes here before each operation on shared memory; the choice says who
/// does the next one.
/// </summary>
internal sealed class Scheduler : IDisposable
{
    /// <summary>How often a thread may spin while nobody else can move.</summary>
    private const int MostLonelySpins = 2000;

    private const int MostTimeOuts = 50;

    [ThreadStatic]
    private static LogicalThread? t_self;

    [ThreadStatic]
    private static Scheduler? t_scheduler;

    private readonly List<LogicalThread> _threads = [];
    private readonly System.Threading.SemaphoreSlim _ended = new(0);
    private Choice _choice = null!;
    private int _count;
    private int _limit;
    private int _steps;
    private long _moves;
    private int _lonelySpins;
    private int _timeOuts;
    private int _lastTimeOut;
    private int _pointsWhileEnding;
    private bool _ending;
    private bool _dense;
    private string? _wrong;

    /// <summary>The logical thread that calls, or null outside of schedules.</summary>
    public static LogicalThread? Current => t_self;

    /// <summary>The planted bug that is on, or 0.</summary>
    public int Bug { get; init; }

    /// <summary>Where operations are written down, while a schedule is replayed.</summary>
    public Trace? Trace { get; private set; }

    public bool IsEnding => _ending;

    /// <summary>Steps of the last schedule.</summary>
    public int Steps => _steps;

    public static void Adopt(LogicalThread thread, Scheduler scheduler) => (t_self, t_scheduler) = (thread, scheduler);

    /// <summary>A scheduling point.</summary>
    /// <returns>The calling logical thread, or null outside of schedules.</returns>
    public static LogicalThread? Before()
    {
        var self = t_self;
        if (self is not null)
        {
            t_scheduler!.Point(self);
        }

        return self;
    }

    /// <summary>A scheduling point of the scenario itself, with a word for the trace.</summary>
    public static void Note(string what)
    {
        if (t_self is { } self)
        {
            t_scheduler!.Point(self);
            t_scheduler.Trace?.Note(self.Number, what);
        }
    }

    /// <summary>Looks at the core's objects without a scheduling point, for traces.</summary>
    public static T Quietly<T>(Func<T> look)
    {
        var self = t_self;
        t_self = null;
        try
        {
            return look();
        }
        finally
        {
            t_self = self;
        }
    }

    /// <summary>Runs one schedule.</summary>
    /// <returns>What went wrong, or null.</returns>
    public string? Run(Action[] bodies, Choice choice, int limit, Trace? trace)
    {
        while (_threads.Count < bodies.Length)
        {
            _threads.Add(new LogicalThread(this, _threads.Count));
        }

        _choice = choice;
        _count = bodies.Length;
        _limit = limit;
        (_steps, _moves, _lonelySpins, _timeOuts, _lastTimeOut, _pointsWhileEnding, _ending, _wrong) = (0, 0, 0, 0, 0, 0, false, null);
        Trace = trace;
        choice.Begin(_count);
        _dense = choice.IsDense;
        for (var i = 0; i < _count; i++)
        {
            var thread = _threads[i];
            thread.Body = bodies[i];
            thread.Failure = null;
            thread.State = LogicalThread.Standing.Runnable;
        }

        _threads[choice.Next(-1, (1u << _count) - 1, 0)].Baton.Pass();
        _ended.Wait();
        Trace = null;
        return _wrong;
    }

    public void Spin(LogicalThread self)
    {
        ThrowIfEnding();
        Trace?.Note(self.Number, "spins");
        self.State = LogicalThread.Standing.Spinning;
        self.SpunAt = _moves;
        _choice.Spun(self.Number);
        var runnable = Runnable();
        if (runnable == 0)
        {
            self.State = LogicalThread.Standing.Runnable;
            if (++_lonelySpins > MostLonelySpins)
            {
                EndAs($"thread {self.Number} spins for ever: nobody else can move");
                throw new ScheduleEndedException();
            }

            return;
        }

        Switch(self, _choice.Next(-1, runnable, ++_steps));
        self.State = LogicalThread.Standing.Runnable;
        ThrowIfEnding();
    }

    public void Block(LogicalThread self, Func<bool> wakes, bool mayTimeOut)
    {
        ThrowIfEnding();
        if (wakes())
        {
            Point(self);
            return;
        }

        Trace?.Note(self.Number, "waits");
        self.State = LogicalThread.Standing.Blocked;
        self.Wakes = wakes;
        self.MayTimeOut = mayTimeOut;
        Switch(self, NextOrStuck());
        self.State = LogicalThread.Standing.Runnable;
        ThrowIfEnding();
    }

    /// <summary>A scheduling point after an operation. If the schedule ends here the thread unwinds from the next one: who has just taken a lock gives it back.</summary>
    public void After(LogicalThread self)
    {
        if (!_dense)
        {
            return;
        }

        try
        {
            Point(self);
        }
        catch (ScheduleEndedException)
        {
            // The operation is done.
        }
    }

    public void Finish(LogicalThread self)
    {
        self.State = LogicalThread.Standing.Done;
        Trace?.Note(self.Number, self.Failure is null ? "ends" : $"fails: {self.Failure.Message}");
        if (self.Failure is { } failure && !_ending)
        {
            EndAs($"thread {self.Number}: {failure.GetType().Name}: {failure.Message}\n{failure.StackTrace}");
        }

        if (_ending)
        {
            PassToUnfinished();
            return;
        }

        if (AllDone())
        {
            _ended.Release();
            return;
        }

        _threads[NextOrStuck()].Baton.Pass();
    }

    public void Dispose()
    {
        foreach (var thread in _threads)
        {
            thread.Body = null;
            thread.Baton.Pass();
            thread.Worker.Join();
        }

        _ended.Dispose();
    }

    private void Point(LogicalThread self)
    {
        if (_ending)
        {
            // Unwinding: finally blocks go on, but nothing goes on for ever.
            if (++_pointsWhileEnding % 256 == 0)
            {
                throw new ScheduleEndedException();
            }

            return;
        }

        _moves++;
        _lonelySpins = 0;
        if (++_steps > _limit)
        {
            EndAs($"no end after {_limit} steps (I7: no progress)");
            throw new ScheduleEndedException();
        }

        var next = _choice.Next(self.Number, Runnable(), _steps);
        if (next != self.Number)
        {
            Switch(self, next);
            ThrowIfEnding();
        }
    }

    private uint Runnable()
    {
        uint runnable = 0;
        for (var i = 0; i < _count; i++)
        {
            if (_threads[i].IsRunnable(_moves))
            {
                runnable |= 1u << i;
            }
        }

        return runnable;
    }

    private bool AllDone()
    {
        for (var i = 0; i < _count; i++)
        {
            if (_threads[i].State != LogicalThread.Standing.Done)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The next thread when the current one cannot go on.</summary>
    private int NextOrStuck()
    {
        var runnable = Runnable();
        if (runnable != 0)
        {
            return _choice.Next(-1, runnable, ++_steps);
        }

        // Somebody who only spins may look again; a wait with a time limit ends when nothing else can move.
        for (var i = 0; i < _count; i++)
        {
            if (_threads[i].State == LogicalThread.Standing.Spinning && ++_lonelySpins <= MostLonelySpins)
            {
                return i;
            }
        }

        // In turn: two whose time is up do not keep a third waiting.
        for (var i = 1; i <= _count; i++)
        {
            var thread = (_lastTimeOut + i) % _count;
            if (_threads[thread] is { State: LogicalThread.Standing.Blocked, MayTimeOut: true } && ++_timeOuts <= MostTimeOuts)
            {
                return _lastTimeOut = thread;
            }
        }

        _ending = true;
        _wrong ??= "deadlock: " + string.Join(", ", _threads.Take(_count).Select(thread => $"thread {thread.Number} {thread.State}"));
        return Enumerable.Range(0, _count).First(i => _threads[i].State != LogicalThread.Standing.Done);
    }

    private void EndAs(string why)
    {
        _wrong ??= why;
        _ending = true;
    }

    private void Switch(LogicalThread self, int next)
    {
        if (next != self.Number)
        {
            _threads[next].Baton.Pass();
            self.Baton.Take();
        }
    }

    private void PassToUnfinished()
    {
        for (var i = 0; i < _count; i++)
        {
            if (_threads[i].State != LogicalThread.Standing.Done)
            {
                _threads[i].Baton.Pass();
                return;
            }
        }

        _ended.Release();
    }

    private void ThrowIfEnding()
    {
        if (_ending)
        {
            throw new ScheduleEndedException();
        }
    }
}

/// <summary>The schedule has failed in another thread; this one unwinds.</summary>
internal sealed class ScheduleEndedException() : Exception("the schedule is over");
