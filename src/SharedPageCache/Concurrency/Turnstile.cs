using System.Runtime.CompilerServices;

namespace SharedPageCache.Concurrency;

/// <summary>
/// Lets callers wait until something that they compete for may have come free. A pulse wakes all who wait; each looks
/// again and waits again if it came too late. Costs one load when nobody waits.
/// </summary>
/// <remarks>
/// A waiter counts itself in (full fence) and then takes the current event; since what it waits for may have come free
/// just before, it also wakes by itself after a while. So a missed pulse costs time, never progress.
/// </remarks>
internal sealed class Turnstile(int longestSleepMilliseconds = 10)
{
    private readonly TimeSpan _longestSleep = TimeSpan.FromMilliseconds(longestSleepMilliseconds);

    private int _waiting;
    private Completion? _event = new();

    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        Atomic.Increment(ref _waiting);
        try
        {
            // One wait with token and time together: each takes its registrations with it when it ends. The event itself
            // may stay for hours, so nothing may be left hanging on it, or on the token, by every round of a waiter.
            try
            {
                await Atomic.LoadAcquire(ref _event)!.WaitAsync(_longestSleep, cancellationToken).ConfigureAwait(false);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Pulse()
    {
        if (Atomic.LoadAcquire(ref _waiting) != 0)
        {
            Wake();
        }
    }

    private void Wake() => Atomic.Exchange(ref _event, new Completion())!.Set();
}
