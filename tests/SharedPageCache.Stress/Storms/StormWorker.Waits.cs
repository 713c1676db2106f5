using System.Diagnostics;

namespace SharedPageCache.Stress.Storms;

/// <content>Waits that end, and the exceptions that may end them.</content>
internal sealed partial class StormWorker
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private T Wait<T>(ValueTask<T> task) => task.IsCompleted ? task.GetAwaiter().GetResult() : Block(task.AsTask()).GetAwaiter().GetResult();

    private void Wait(ValueTask task)
    {
        if (task.IsCompleted)
        {
            task.GetAwaiter().GetResult();
        }
        else
        {
            Block(task.AsTask()).GetAwaiter().GetResult();
        }
    }

    private T Await<T>(ValueTask<T> task, string what)
    {
        try
        {
            return Wait(task);
        }
        catch (OperationCanceledException)
        {
            throw new StormFailure($"I7: {what} did not get its frames within {Patience.TotalSeconds} s.");
        }
    }

    /// <summary>A task that never ends is a failure, not a hang.</summary>
    private TTask Block<TTask>(TTask task)
        where TTask : Task
    {
        var start = Stopwatch.GetTimestamp();
        while (!((IAsyncResult)task).AsyncWaitHandle.WaitOne(Patience + TimeSpan.FromSeconds(5)))
        {
            throw new StormFailure($"I7: {_doing} has not ended after {Stopwatch.GetElapsedTime(start).TotalSeconds:f0} s.");
        }

        return task;
    }

    private bool IsAllowed(Exception error, OpenHandle handle) => error switch
    {
        ObjectDisposedException => handle.IsClosing || handle.File.IsClosed || _storm.IsDisposing,
        PageLoadException load => _storm.Options.HasFaults && load.Offset >= 0 && load.Offset < handle.File.Length,
        ExtentMapException map => _storm.Options.HasFaults || (_storm.Options.HasEngine && IsStarved(map)),
        _ => false,
    };

    /// <summary>The engine changes a window on and on, faster than the question is answered: documented, and counted.</summary>
    private bool IsStarved(ExtentMapException error)
    {
        var starved = error.Message.Contains("times while they were asked for", StringComparison.Ordinal);
        Starved += starved ? 1 : 0;
        return starved;
    }
}
