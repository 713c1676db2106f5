using System.Runtime.CompilerServices;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Leases;

/// <summary>Handles that are leaked, disposed twice or used too late are found out and do no harm.</summary>
public class LeakedLeaseTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Row", "H5")]
    public void A_leaked_heap_lease_is_counted_and_gives_its_page_back()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        Leak(file, 0);
        Leak(file, 4096);
        Bounded.Until(() => Collect() && cache.Figures.LeakedLeases == 2, "both leaks were seen");
        Bounded.Until(() => Pins(cache) == 0, "the pages were given back");
        cache.EvictAll();
        Assert.Equal(0, cache.ResidentPages);
    }

    [Fact]
    [Trait("Row", "H5")]
    public void A_leaked_range_lease_is_found_too()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        LeakRange(file);
        Bounded.Until(() => Collect() && cache.Figures.LeakedLeases == 3, "all three pages were seen");
        Bounded.Until(() => Pins(cache) == 0, "the pages were given back");
    }

    [Fact]
    [Trait("Row", "H5")]
    public async Task A_disposed_lease_is_no_leak()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        for (var i = 0; i < 100; i++)
        {
            (await file.PinAsync(0)).Dispose();
        }

        Collect();
        Assert.Equal(0, cache.Figures.LeakedLeases);
    }

    [Fact]
    [Trait("Row", "H5")]
    public async Task Disposing_twice_releases_once()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        var other = await file.PinAsync(0);
        var lease = await file.PinAsync(0);
        var range = await file.PinRangeAsync(0, 8192);
        lease.Dispose();
        lease.Dispose();
        range.Dispose();
        range.Dispose();
        Assert.Equal(1, Pins(cache));
        cache.EvictAll();
        Files.AssertSame(cache.Device.Copy(0, 4096), other.Memory.Span);
        other.Dispose();
        Assert.Equal(0, Pins(cache));
        Assert.Throws<ObjectDisposedException>(() => lease.Memory);
        Assert.Throws<ObjectDisposedException>(() => range.Sequence);
    }

    [Fact]
    [Trait("Row", "H5")]
    public async Task Disposing_from_many_threads_releases_once()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        using var other = await file.PinAsync(0);
        for (var i = 0; i < 200; i++)
        {
            var lease = await file.PinAsync(0);
            Parallel.For(0, 4, _ => lease.Dispose());
            Assert.Equal(1, Pins(cache));
        }
    }

    [Fact]
    [Trait("Row", "H5")]
    public void A_stack_lease_that_was_disposed_shows_nothing_any_more()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        Assert.True(file.TryPin(0, out var lease));
        lease.Dispose();
        lease.Dispose();
        var refused = false;
        try
        {
            _ = lease.Span;
        }
        catch (ObjectDisposedException)
        {
            refused = true;
        }

        Assert.True(refused);
        Assert.Equal(0, Pins(cache));
        refused = false;
        PageLease none = default;
        none.Dispose();
        try
        {
            _ = none.Span;
        }
        catch (ObjectDisposedException)
        {
            refused = true;
        }

        Assert.True(refused);
    }

    [Fact]
    [Trait("Row", "H5")]
    public void A_copied_stack_lease_that_is_disposed_twice_is_found_out()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        Assert.True(file.TryPin(0, out var lease));
        var copy = lease;
        lease.Dispose();
        var message = "";
        try
        {
            copy.Dispose();
        }
        catch (InvalidOperationException error)
        {
            message = error.Message;
        }

        Assert.Contains("more often than it was taken", message);
        Assert.Equal(0, Pins(cache));
    }

    [Fact]
    [Trait("Row", "H5")]
    public async Task A_lease_knows_its_own_cache()
    {
        using var one = new TestCache(frames: 8);
        using var two = new TestCache(frames: 8);
        var lease = await one.OpenRun(0, Length).PinAsync(0);
        using var stays = await two.OpenRun(0, Length).PinAsync(0);
        Assert.Equal(1, Pins(two));
        lease.Dispose();
        Assert.Equal(0, Pins(one));
        Assert.Equal(1, Pins(two));
    }

    [Fact]
    [Trait("Row", "H5")]
    [Trait("Contract", "C4")]
    public async Task A_lease_outlives_its_cache_and_is_disposed_after_it()
    {
        var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        var lease = await file.PinAsync(4096);
        var expected = cache.Device.Copy(4096, 4096);
        cache.Cache.Dispose();
        Files.AssertSame(expected, lease.Memory.Span);
        Assert.Equal(4096, cache.Figures.ResidentBytes);
        lease.Dispose();
        Assert.Equal(0, cache.Figures.ResidentBytes);
        cache.Dispose();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Leak(MappedFile file, long offset) => _ = file.PinAsync(offset).AsTask().GetAwaiter().GetResult();

    [MethodImpl(MethodImplOptions.NoInlining)]
    [Fact]
    public async Task A_range_that_several_threads_dispose_at_once_is_given_back_once()
    {
        using var cache = new TestCache(frames: 128);
        var file = cache.OpenRun(0, 32 * 4096);
        for (var round = 0; round < 2000; round++)
        {
            var range = await file.PinRangeAsync(0, 32 * 4096);
            var ready = 0;
            void End()
            {
                Interlocked.Increment(ref ready);
                for (var i = 0; i < 10_000 && Volatile.Read(ref ready) != 2; i++)
                {
                    Thread.SpinWait(1);
                }

                range.Dispose();
            }

            await Task.WhenAll(Task.Run(End), Task.Run(End)).Within();
            Assert.Throws<ObjectDisposedException>(() => range.Sequence);
        }

        Assert.All(Enumerable.Range(0, 128), frame => Assert.Equal(0, cache.Cache.Engine.Rooms.Frames[frame].PinsAcquire));
    }

    private static void LeakRange(MappedFile file) => _ = file.PinRangeAsync(0, 3 * 4096).AsTask().GetAwaiter().GetResult();

    private static bool Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return true;
    }

    private static int Pins(TestCache cache)
    {
        var frames = cache.Cache.Engine.Rooms.Frames;
        return Enumerable.Range(0, frames.Count).Sum(frame => frames[frame].PinsAcquire);
    }
}
