namespace SharedPageCache.Concurrency;

/// <summary>An event that one waiter resets by waking up: what a background loop sleeps on.</summary>
/// <remarks>
/// <see cref="Set"/> completes the current event; the waiter puts a fresh one in its place before it looks for work, so a
/// signal that comes while it works wakes it again.
/// </remarks>
internal sealed class Signal
{
    private Completion? _event = new();

    public void Set() => Atomic.LoadAcquire(ref _event)!.Set();

    /// <summary>Waits for a signal, at most so long.</summary>
    public async Task WaitAsync(TimeSpan longest, TimeProvider time)
    {
        var current = Atomic.LoadAcquire(ref _event)!;
        try
        {
            await current.WaitAsync(CancellationToken.None).WaitAsync(longest, time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Look for work all the same.
        }

        Atomic.Exchange(ref _event, new Completion());
    }
}
