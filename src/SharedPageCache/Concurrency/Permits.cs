namespace SharedPageCache.Concurrency;

/// <summary>A counted set of permits that callers wait for, in order of arrival, by blocking or by awaiting.</summary>
internal sealed class Permits(int count) : IDisposable
{
    private readonly SemaphoreSlim _semaphore = new(count, count);

    public int Available => _semaphore.CurrentCount;

    public bool TryTake() => _semaphore.Wait(0);

    public void Take() => _semaphore.Wait();

    public Task TakeAsync(CancellationToken cancellationToken) => _semaphore.WaitAsync(cancellationToken);

    public void Give() => _semaphore.Release();

    public void Dispose() => _semaphore.Dispose();
}
