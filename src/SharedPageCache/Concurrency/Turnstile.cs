namespace SharedPageCache.Concurrency;

/// <summary>
/// Lets callers wait until something that they compete for may have come free. A pulse wakes all who wait; each looks
/// again and waits again if it came too late. Costs one load when nobody waits.
/// </summary>
/// <remarks>
/// A waiter counts itself in (full fence) and then takes the current event; since what it waits for may have come free
/// just before, it also wakes by itself after a while. So a missed pulse costs time, never progress.
/// </remarks>
internal sealed class Turnstile
{
    private static readonly TimeSpan LongestSleep = TimeSpan.FromMilliseconds(10);

    private int _waiting;
    private Completion? _event = new();

    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        Atomic.Increment(ref _waiting);
        try
        {
            var woken = Atomic.LoadAcquire(ref _event)!.WaitAsync(cancellationToken);
            try
            {
                await woken.WaitAsync(LongestSleep, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // Look again.
            }
        }
        finally
        {
            Atomic.Decrement(ref _waiting);
        }
    }

    public void Pulse()
    {
        if (Atomic.LoadAcquire(ref _waiting) != 0)
        {
            Atomic.Exchange(ref _event, new Completion())!.Set();
        }
    }
}
