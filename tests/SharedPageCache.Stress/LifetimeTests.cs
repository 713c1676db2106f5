using System.Diagnostics;
using System.Runtime.CompilerServices;
using SharedPageCache.Stress.Lifetimes;
using SharedPageCache.Stress.Storms;
using SharedPageCache.Stress.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Stress;

/// <summary>Leases and lifetime (T7), leaks (T11): what is disposed, leaked or collected leaves nothing behind.</summary>
public sealed class LifetimeTests(ITestOutputHelper output)
{
    private const int Page = 4096;
    private const int SequencesInRound = 40_000;

    /// <summary>
    /// T7: leases taken, used and ended in every right and wrong way, two millions of them at SPC_SCALE=10; a tenth of the rounds in checked mode.
    /// </summary>
    [Fact]
    public async Task Leases_that_end_in_every_right_and_wrong_way_keep_their_bytes_and_give_back_one_pin_each()
    {
        var sequences = Soak.Scaled(200_000);
        var figures = new LeaseFigures();
        while (figures.Sequences < sequences)
        {
            var seed = Soak.Seed();
            try
            {
                figures.Add(await new LeaseRound(seed).RunAsync(Math.Min(sequences, SequencesInRound)).WaitAsync(TimeSpan.FromMinutes(5)));
            }
            catch (Exception)
            {
                output.WriteLine(Soak.Replay(nameof(Leases_that_end_in_every_right_and_wrong_way_keep_their_bytes_and_give_back_one_pin_each), seed));
                throw;
            }
        }

        Soak.Report(output, "Leases", figures.ToString());
    }

    [Fact]
    public async Task Leases_outlive_their_file_their_volume_and_their_cache()
    {
        var device = new PlainDevice(Page, 64);
        var map = new PlainMap(new Extent(0, 16 * Page, 0));
        var cache = MakeCache();
        var volume = cache.AttachVolume(device);
        var file = volume.OpenFile(map, 16 * Page);
        var lease = await file.PinAsync(3 * Page);
        var range = await file.PinRangeAsync(Page, 4 * Page);
        file.Dispose();
        map.AssertContent(device, 3 * Page, lease.Memory.Span);
        volume.Dispose();
        map.AssertContent(device, 3 * Page, lease.Memory.Span);
        cache.Dispose();
        cache.Verify();
        map.AssertContent(device, 3 * Page, lease.Memory.Span);
        map.AssertContent(device, Page, range.Sequence.FirstSpan);
        range.Dispose();
        range.Dispose();
        lease.Dispose();
        lease.Dispose();
        Assert.Throws<ObjectDisposedException>(() => lease.Memory);
        Assert.Throws<ObjectDisposedException>(() => range.Sequence);
        Assert.Equal(0, Words.PinsOf(cache));
        cache.Verify();
        Assert.Equal(0, cache.GetStatistics().ResidentBytes);
    }

    [Fact]
    public async Task Leases_disposed_by_many_threads_at_once_are_given_back_once()
    {
        var device = new PlainDevice(Page, 64);
        var map = new PlainMap(new Extent(0, 16 * Page, 0));
        using var cache = MakeCache();
        using var volume = cache.AttachVolume(device);
        using var file = volume.OpenFile(map, 16 * Page);
        for (var i = 0; i < Soak.Scaled(300); i++)
        {
            var lease = await file.PinAsync(i % 16 * Page);
            var other = await file.PinAsync(i % 16 * Page);
            Parallel.For(0, 4, _ => lease.Dispose());
            map.AssertContent(device, i % 16 * Page, other.Memory.Span);
            other.Dispose();
        }

        Assert.Equal(0, Words.PinsOf(cache));
        cache.Verify();
    }

    [Fact]
    public void Leaked_leases_come_back_by_the_garbage_collector_and_are_counted()
    {
        var device = new PlainDevice(Page, 64);
        using var cache = MakeCache();
        using var volume = cache.AttachVolume(device);
        using var file = volume.OpenFile(new PlainMap(new Extent(0, 16 * Page, 0)), 16 * Page);
        Leak(file);
        Collect(() => Words.PinsOf(cache) == 0);
        Assert.Equal(0, Words.PinsOf(cache));
        Assert.Equal(10, cache.GetStatistics().LeakedLeases);
        cache.Verify();

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Leak(MappedFile file)
        {
            for (var i = 0; i < 10; i++)
            {
                _ = file.PinAsync(i % 4 * Page).AsTask().GetAwaiter().GetResult();
            }
        }
    }

    /// <summary>The whole graph dies at once, leaked leases, volumes and files included, in any order of finalizers.</summary>
    [Fact]
    public void A_cache_that_nobody_knows_any_more_is_collected_with_all_that_was_leaked()
    {
        var caches = new List<WeakReference>();
        for (var i = 0; i < 30; i++)
        {
            Abandon(caches, i);
        }

        Collect(() => caches.TrueForAll(static cache => !cache.IsAlive));
        Assert.All(caches, static cache => Assert.False(cache.IsAlive));

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Abandon(List<WeakReference> caches, int i)
        {
            var cache = MakeCache();
            caches.Add(new WeakReference(cache.Engine.Rooms.Arena));
            var file = cache.AttachVolume(new PlainDevice(Page, 64)).OpenFile(new PlainMap(new Extent(0, 16 * Page, 0)), 16 * Page);
            var clone = file.Clone();
            _ = clone.PinAsync(Page).AsTask().GetAwaiter().GetResult();
            clone.Read(0, new byte[16 * Page]);
            if (i % 2 == 0)
            {
                cache.Dispose();
            }
        }
    }

    /// <summary>Memory goes back when the cache is disposed, also if somebody still refers to it.</summary>
    [Fact]
    public void Disposing_a_cache_returns_the_memory_of_its_pages()
    {
        const int Megabytes = 64;
        var device = new PlainDevice(65536, Megabytes * 16);
        var cache = new PageCache(new PageCacheOptions { CapacityBytes = (Megabytes + 16) << 20, PageSize = 65536, HugePages = false });
        var volume = cache.AttachVolume(device);
        var file = volume.OpenFile(new PlainMap(new Extent(0, device.Length, 0)), device.Length);
        var buffer = new byte[1 << 20];
        for (var offset = 0L; offset < device.Length; offset += buffer.Length)
        {
            file.Read(offset, buffer);
        }

        Assert.True(cache.GetStatistics().ResidentBytes > (Megabytes - 8L) << 20);
        var full = ResidentSet();
        cache.Dispose();
        var empty = ResidentSet();
        Assert.True(full - empty > (Megabytes / 2L) << 20, $"{full >> 20} MiB before Dispose, {empty >> 20} MiB after it");
        GC.KeepAlive(cache);
    }

    /// <summary>Open, clone, read, close, again and again (T11).</summary>
    [Theory]
    [InlineData(64L << 20, 4096)]
    [InlineData(1L << 20, 4096)]
    [InlineData(256L << 10, 512)]
    public void Cycles_of_open_clone_read_close_leave_nothing_behind(long capacity, int page)
    {
        var device = new PlainDevice(page, 256);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = capacity, PageSize = page });
        using var volume = cache.AttachVolume(device);
        var map = new PlainMap(new Extent(0, 100 * page, 10 * page), new Extent(100 * page, 50 * page, 0));
        var cycles = Soak.Scaled(10_000);
        var buffer = new byte[2 * page];
        var (heap, metadata, resident) = (0L, 0L, 0L);
        for (var i = 0; i < cycles; i++)
        {
            using var file = volume.OpenFile(map, 150 * page - 7);
            using var clone = file.Clone();
            using var second = clone.Clone();
            var offset = i * 37L % 148 * page;
            var read = second.Read(offset, buffer);
            map.AssertContent(device, offset, buffer.AsSpan(0, read));
            file.Read(offset, buffer.AsSpan(0, 8));
            if (i == cycles / 10)
            {
                (heap, metadata, resident) = Measure(cache);
            }
        }

        var (heapAfter, metadataAfter, residentAfter) = Measure(cache);
        var figures = cache.GetStatistics();
        Soak.Report(output, $"Cycles, {capacity >> 10} KiB", $"{cycles} cycles, heap {heap} -> {heapAfter}, metadata {metadata} -> {metadataAfter}, resident {resident} -> {residentAfter}");
        Assert.Equal(0, figures.OpenFiles);
        Assert.Equal(0, figures.LogicalBytes);
        Assert.Equal(0, Words.PinsOf(cache));
        Assert.InRange(heapAfter, 0, heap + (512 << 10));
        Assert.InRange(metadataAfter, 0, metadata + (64 << 10));
        cache.Verify();
    }

    /// <summary>Volumes come and go (their numbers are given out again) while readers, leases and loads are in flight.</summary>
    [Fact]
    [Trait("Category", "Soak")]
    public async Task Volumes_that_come_and_go_under_readers_never_mix()
    {
        var seed = Soak.Seed();
        output.WriteLine(Soak.Replay(nameof(Volumes_that_come_and_go_under_readers_never_mix), seed));
        using var cache = new PageCache(new PageCacheOptions { PageSize = Page, ExactFrameCount = 24 });
        var dice = new Dice(seed);
        var slots = new Attached[3];
        for (var i = 0; i < slots.Length; i++)
        {
            slots[i] = Attach(cache, dice, i);
        }

        var watch = Stopwatch.StartNew();
        var (attached, reads, refused) = (0L, 0L, 0L);
        var workers = Enumerable.Range(0, 4).Select(number => Task.Run(async () =>
        {
            var mine = new Dice(Dice.Mix(seed, (ulong)number + 1));
            var buffer = new byte[5 * Page];
            while (watch.Elapsed < Soak.Share)
            {
                var (_, file, map, device) = Volatile.Read(ref slots[mine.Below(slots.Length)]);
                var (offset, count) = (mine.Below(60L) * Page, mine.From(1, buffer.Length));
                try
                {
                    switch (mine.Below(4))
                    {
                        case 0:
                            map.AssertContent(device, offset, buffer.AsSpan(0, file.Read(offset, buffer.AsSpan(0, count))));
                            break;
                        case 1:
                            var read = await file.ReadAsync(offset, buffer.AsMemory(0, count));
                            map.AssertContent(device, offset, buffer.AsSpan(0, read));
                            break;
                        case 2:
                            using (var lease = await file.PinAsync(offset))
                            {
                                await Task.Yield();
                                map.AssertContent(device, offset, lease.Memory.Span);
                            }

                            break;
                        default:
                            using (var clone = file.Clone())
                            {
                                await clone.PrefetchAsync(offset, count);
                                clone.TryRead(offset, buffer.AsSpan(0, 8), out _);
                            }

                            break;
                    }

                    Interlocked.Increment(ref reads);
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref refused);
                    await Task.Yield();
                }
            }
        })).ToArray();

        while (watch.Elapsed < Soak.Share)
        {
            var slot = dice.Below(slots.Length);
            var old = slots[slot];

            // Twice at once: the number must not be given back twice.
            Parallel.Invoke(() => old.Volume.Dispose(), () => old.Volume.Dispose());
            Volatile.Write(ref slots[slot], Attach(cache, dice, (int)++attached));
            if (dice.OneIn(3))
            {
                await Task.Delay(1);
            }

            old.File.Dispose();
        }

        await Task.WhenAll(workers).WaitAsync(TimeSpan.FromSeconds(120));
        cache.Verify();
        foreach (var (volume, file, _, _) in slots)
        {
            file.Dispose();
            volume.Dispose();
        }

        cache.Verify();
        Assert.Equal(0, cache.GetStatistics().ResidentBytes);
        Assert.Equal(0, cache.GetStatistics().OpenFiles);
        Soak.Report(output, "Volumes come and go", $"{attached} volumes, {reads} reads, {refused} refused");
    }

    private static Attached Attach(PageCache cache, Dice dice, int number)
    {
        // The same blocks in every volume, but other content: a page of another volume is recognised.
        var device = new PlainDevice(Page, 128);
        for (var block = 0; block < 128; block++)
        {
            for (var i = number % 50; i >= 0; i--)
            {
                device.Renew(block);
            }
        }

        device.Gate = dice.OneIn(2) ? static async () => await Task.Yield() : null;
        var map = new PlainMap(new Extent(0, 40 * Page, 0), new Extent(40 * Page, 24 * Page, 64 * Page));
        var volume = cache.AttachVolume(device);
        return new Attached(volume, volume.OpenFile(map, 64 * Page), map, device);
    }

    private sealed record Attached(CachedVolume Volume, MappedFile File, PlainMap Map, PlainDevice Device);

    private static PageCache MakeCache() => new(new PageCacheOptions { PageSize = Page, ExactFrameCount = 32 });

    private static (long Heap, long Metadata, long Resident) Measure(PageCache cache)
    {
        Collect(static () => false, rounds: 3);
        var figures = cache.GetStatistics();
        return (GC.GetTotalMemory(forceFullCollection: true), figures.MetadataBytes, figures.ResidentBytes);
    }

    private static void Collect(Func<bool> enough, int rounds = 20)
    {
        for (var round = 0; round < rounds && !enough(); round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private static long ResidentSet()
    {
        GC.Collect();
        return File.ReadLines("/proc/self/status").First(static line => line.StartsWith("VmRSS", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var kibibytes, ..] ? long.Parse(kibibytes.Trim()) << 10 : 0;
    }
}
