using SharedPageCache.Schedules.Exploring;

namespace SharedPageCache.Schedules.Shims;

/// <summary>A spinning thread does not run again before another thread has moved.</summary>
internal struct SpinWait
{
    private System.Threading.SpinWait _real;

    public void SpinOnce()
    {
        if (Scheduler.Current is { } self)
        {
            self.Spin();
        }
        else
        {
            _real.SpinOnce();
        }
    }
}

/// <summary>
/// A semaphore whose waiters are not runnable until it has a permit. Awaiting blocks the logical thread: it is the same to the
/// others.
/// </summary>
internal sealed class SemaphoreSlim(int initialCount, int maxCount) : IDisposable
{
    private int _count = initialCount;

    public int CurrentCount => _count;

    public bool Wait(int millisecondsTimeout)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(millisecondsTimeout, 0);
        var self = Scheduler.Before();
        var taken = _count > 0;
        _count -= taken ? 1 : 0;
        self?.After(taken ? "permit taken" : "no permit", null, null);
        return taken;
    }

    public void Wait()
    {
        while (!Wait(0))
        {
            (Scheduler.Current ?? throw new InvalidOperationException("only logical threads wait")).Block(() => _count > 0);
        }
    }

    public Task WaitAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            if (Wait(0))
            {
                return Task.CompletedTask;
            }

            (Scheduler.Current ?? throw new InvalidOperationException("only logical threads wait"))
                .Block(() => _count > 0 || cancellationToken.IsCancellationRequested);
        }

        return Task.FromCanceled(cancellationToken);
    }

    public int Release()
    {
        var self = Scheduler.Before();
        if (_count == maxCount)
        {
            throw new SemaphoreFullException();
        }

        var was = _count++;
        self?.After("permit given", null, null);
        return was;
    }

    public void Dispose()
    {
    }
}

/// <summary>A task source whose waiters are not runnable until it is set.</summary>
internal sealed class TaskCompletionSource(TaskCreationOptions options)
{
    private readonly System.Threading.Tasks.TaskCompletionSource _real = new(options);
    private bool _set;

    public Waitable Task => new(this);

    public bool TrySetResult()
    {
        var self = Scheduler.Before();
        _set = true;
        self?.After("set", null, null);
        return _real.TrySetResult();
    }

    /// <summary>What the core sees of the task.</summary>
    internal readonly struct Waitable(TaskCompletionSource source)
    {
        public Waitable GetAwaiter() => this;

        public void GetResult()
        {
            if (Scheduler.Current is { } self)
            {
                self.Block(IsSet);
            }
            else
            {
                source._real.Task.GetAwaiter().GetResult();
            }
        }

        public Task WaitAsync(CancellationToken cancellationToken) =>
            Scheduler.Current is { } self ? Wait(self, mayTimeOut: false, cancellationToken) : source._real.Task.WaitAsync(cancellationToken);

        /// <summary>Once the time is over the wait just ends: who waits looks again in either case.</summary>
        public Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken) =>
            Scheduler.Current is { } self ? Wait(self, mayTimeOut: true, cancellationToken) : source._real.Task.WaitAsync(longest, cancellationToken);

        private Task Wait(LogicalThread self, bool mayTimeOut, CancellationToken cancellationToken)
        {
            var waited = source;
            self.Block(() => waited._set || cancellationToken.IsCancellationRequested, mayTimeOut);
            return !source._set && cancellationToken.IsCancellationRequested
                ? System.Threading.Tasks.Task.FromCanceled(cancellationToken) : System.Threading.Tasks.Task.CompletedTask;
        }

        private bool IsSet() => source._set;
    }
}
