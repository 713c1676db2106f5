namespace SharedPageCache.Concurrency;

/// <summary>
/// Waits for another thread's short, bounded, in-memory section to end: spins a little, then yields, then sleeps. Never
/// used to wait for I/O.
/// </summary>
internal struct Backoff
{
    private SpinWait _wait;

    public void Once() => _wait.SpinOnce();
}
