using System.Runtime.CompilerServices;
using SharedPageCache.TestKit.Devices;
using SharedPageCache.TestKit.Leases;

namespace SharedPageCache.TestKit.Tests.Leases;

/// <summary>A watch fails with the stacks when leases are left, leaked or misused, and is silent when none is.</summary>
public class LeaseWatchTests
{
    [Fact]
    public async Task A_test_that_gives_all_leases_back_passes()
    {
        var watch = new LeaseWatch();
        using var cache = Make(watch, out var file);
        (await file.PinAsync(0)).Dispose();
        watch.AssertClean(cache);
        Assert.Empty(watch.Found);
    }

    [Fact]
    public async Task A_lease_that_is_held_at_the_end_fails_with_its_stack()
    {
        var watch = new LeaseWatch();
        using var cache = Make(watch, out var file);
        var lease = await file.PinAsync(4096);
        var error = Assert.Throws<LeaseWatchException>(() => watch.AssertClean(cache));
        Assert.Equal(4096, Assert.Single(error.Held).Offset);
        Assert.Contains(nameof(A_lease_that_is_held_at_the_end_fails_with_its_stack), error.Message, StringComparison.Ordinal);
        lease.Dispose();
        watch.AssertClean(cache);
    }

    [Fact]
    public void A_lease_that_was_leaked_fails_with_its_stack()
    {
        var watch = new LeaseWatch();
        using var cache = Make(watch, out var file);
        Leak(file);
        var error = Assert.Throws<LeaseWatchException>(() => watch.AssertClean(cache));
        Assert.Equal(CacheMisuseKind.Leaked, Assert.Single(error.Found).Kind);
        Assert.Contains(nameof(Leak), error.Message, StringComparison.Ordinal);
        Assert.Empty(error.Held);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Leak(MappedFile file) => _ = file.PinAsync(0).AsTask().GetAwaiter().GetResult();
    }

    [Fact]
    public void A_second_release_fails_and_another_listener_hears_of_it()
    {
        var watch = new LeaseWatch();
        var heard = 0;
        using var cache = new PageCache(watch.Watch(new PageCacheOptions { CapacityBytes = 1 << 20, CheckedReport = _ => heard++ }));
        using var volume = cache.AttachVolume(new MemoryDevice(1 << 16));
        using var file = volume.OpenFile(new ExtentList([new Extent(0, 1 << 16, 0)]), 1 << 16);
        file.Read(0, new byte[8]);
        Assert.True(file.TryKeep(0, out var page));
        page.Release();
        Assert.Throws<InvalidOperationException>(page.Release);
        var error = Assert.Throws<LeaseWatchException>(() => watch.AssertClean(cache, collect: false));
        Assert.Equal(CacheMisuseKind.ReleasedTwice, Assert.Single(error.Found).Kind);
        Assert.Equal(1, heard);
    }

    [Fact]
    public void A_cache_that_is_not_in_checked_mode_is_refused()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1 << 20 });
        Assert.Throws<ArgumentException>(() => new LeaseWatch().AssertClean(cache));
    }

    private static PageCache Make(LeaseWatch watch, out MappedFile file)
    {
        var cache = new PageCache(watch.Watch(new PageCacheOptions { CapacityBytes = 1 << 20 }));
        var volume = cache.AttachVolume(new MemoryDevice(1 << 16));
        file = volume.OpenFile(new ExtentList([new Extent(0, 1 << 16, 0)]), 1 << 16);
        return cache;
    }
}
