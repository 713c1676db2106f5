using System.Runtime.CompilerServices;

namespace SharedPageCache.Schedules.Exploring;

/// <summary>One thread of a scenario, on an operating system thread of its own that runs only while it holds the baton.</summary>
internal sealed class LogicalThread
{
    private readonly Scheduler _scheduler;

    public LogicalThread(Scheduler scheduler, int number)
    {
        _scheduler = scheduler;
        Number = number;
        Worker = new System.Threading.Thread(Work, 512 << 10) { IsBackground = true, Name = $"logical thread {number}" };
        Worker.Start();
    }

    public enum Standing
    {
        Runnable,
        Spinning,
        Blocked,
        Done,
    }

    public int Number { get; }

    public System.Threading.Thread Worker { get; }

    public Baton Baton { get; } = new();

    public Standing State { get; set; } = Standing.Done;

    /// <summary>What a blocked thread waits for.</summary>
    public Func<bool>? Wakes { get; set; }

    /// <summary>Whether a blocked thread wakes by itself when nothing else can move.</summary>
    public bool MayTimeOut { get; set; }

    /// <summary>How far the others had come when the thread spun.</summary>
    public long SpunAt { get; set; }

    public Action? Body { get; set; }

    public Exception? Failure { get; set; }

    public bool IsRunnable(long moves) => State switch
    {
        Standing.Runnable => true,
        Standing.Spinning => moves > SpunAt,
        Standing.Blocked => Wakes!(),
        _ => false,
    };

    public void Spin() => _scheduler.Spin(this);

    public void Block(Func<bool> wakes, bool mayTimeOut = false) => _scheduler.Block(this, wakes, mayTimeOut);

    public void After(string operation, ref long location, long was, long now) =>
        After(operation, Address(ref location), was, now);

    public void After(string operation, ref int location, int was, int now) =>
        After(operation, Address(ref location), was, now);

    public void After(string operation, object? was, object? now)
    {
        _scheduler.Trace?.Add(Number, operation, 0, was, now);
        _scheduler.After(this);
    }

    private static unsafe nint Address<T>(ref T location) => (nint)Unsafe.AsPointer(ref location);

    private void After(string operation, nint address, long was, long now)
    {
        _scheduler.Trace?.Add(Number, operation, address, was, now);
        _scheduler.After(this);
    }

    private void Work()
    {
        Scheduler.Adopt(this, _scheduler);
        while (true)
        {
            Baton.Take();
            if (Body is not { } body)
            {
                return;
            }

            Planted.Bugs.Activate(_scheduler.Bug);
            try
            {
                if (!_scheduler.IsEnding)
                {
                    body();
                }
            }
            catch (ScheduleEndedException)
            {
            }
            catch (Exception failure)
            {
                Failure = failure;
            }

            _scheduler.Finish(this);
        }
    }
}
