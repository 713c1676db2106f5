using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>Volumes that are taken away, or fail, while what is dirty in them is being written back.</summary>
public sealed class DetachingTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Contract", "C6")]
    public async Task A_flush_of_the_cache_is_not_failed_by_a_volume_that_somebody_takes_away_meanwhile()
    {
        using var cache = new WriteCache();
        var (flush, release) = await BeginAsync(cache, () => cache.Cache.FlushAsync());
        cache.Volume.Dispose();
        release();
        await flush.Within();
    }

    [Fact]
    public async Task Disposing_a_volume_that_somebody_takes_away_meanwhile_ends_well()
    {
        using var cache = new WriteCache();
        var (dispose, release) = await BeginAsync(cache, () => cache.Volume.DisposeAsync());
        cache.Volume.Dispose();
        release();
        await dispose.Within();
    }

    [Fact]
    [Trait("Contract", "C7")]
    public async Task A_flush_of_the_cache_tries_all_volumes_and_tells_the_first_failure()
    {
        using var cache = new WriteCache();
        cache.OpenNew(2 * Page).Write(0, new byte[Page]);
        using var second = cache.AttachSecond(out var other);
        using (other)
        {
            other.Write(0, new byte[Page]);
            cache.Engine.Before = name =>
            {
                if (name == "Place")
                {
                    throw new IOException("no room");
                }
            };
            var error = await Assert.ThrowsAsync<CacheWritebackException>(() => cache.Cache.FlushAsync().AsTask());

            Assert.Contains("no room", error.ToString(), StringComparison.Ordinal);
            Assert.Equal(Page, cache.Figures.DirtyBytes);
            cache.Engine.Before = null;
            await cache.Cache.FlushAsync();
            Assert.Equal(0, cache.Figures.DirtyBytes);
        }
    }

    /// <summary>Begins to write a dirty page back, up to where the engine is asked for a place.</summary>
    /// <returns>What was begun, and what lets it go on.</returns>
    private static async Task<(Task Begun, Action Release)> BeginAsync(WriteCache cache, Func<ValueTask> begin)
    {
        var arrived = new TaskCompletionSource();
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        cache.OpenNew(2 * Page).Write(0, new byte[Page]);
        cache.Engine.DuringPlace = () =>
        {
            arrived.TrySetResult();
            return released.Task;
        };
        var begun = begin().AsTask();
        await arrived.Task.Within();
        return (begun, () => released.TrySetResult());
    }
}
