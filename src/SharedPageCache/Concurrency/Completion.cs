namespace SharedPageCache.Concurrency;

/// <summary>
/// A one-shot event that threads may wait for by blocking or by awaiting. Costs one object and nothing more when nobody
/// has to wait.
/// </summary>
/// <remarks>
/// The flag and the task source are two words: <see cref="Set"/> sets the flag (full fence), then looks for a source; a
/// waiter installs a source (full fence), then looks at the flag. Of the two, at least one sees the other.
/// </remarks>
internal sealed class Completion
{
    private int _done;
    private TaskCompletionSource? _source;

    public bool IsSet => Atomic.LoadAcquire(ref _done) != 0;

    public void Set()
    {
        Atomic.Exchange(ref _done, 1);
        Atomic.LoadAcquire(ref _source)?.TrySetResult();
    }

    public Task WaitAsync(CancellationToken cancellationToken) =>
        IsSet ? Task.CompletedTask : Source().Task.WaitAsync(cancellationToken);

    /// <summary>The same for so long at most.</summary>
    /// <exception cref="TimeoutException">The time is over.</exception>
    public Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken) =>
        IsSet ? Task.CompletedTask : Source().Task.WaitAsync(longest, cancellationToken);

    public void Wait()
    {
        if (!IsSet)
        {
            Source().Task.GetAwaiter().GetResult();
        }
    }

    private TaskCompletionSource Source()
    {
        var source = Atomic.LoadAcquire(ref _source);
        if (source is null)
        {
            var fresh = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            source = Atomic.CompareExchange(ref _source, fresh, null) ?? fresh;
        }

        if (IsSet)
        {
            source.TrySetResult();
        }

        return source;
    }
}
