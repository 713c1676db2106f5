using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Leases;

/// <summary>Leases hold at most their part of the frames; who wants more is refused or waits, and reads go on.</summary>
public class LeaseLimitTests
{
    private const int Length = 64 * 4096;

    [Theory]
    [Trait("Contract", "C9")]
    [InlineData(3, 1)]
    [InlineData(8, 3)]
    [InlineData(64, 30)]
    public async Task Beyond_the_limit_TryPin_is_refused_and_reads_go_on(int frames, int limit)
    {
        using var cache = new TestCache(frames: frames);
        Assert.Equal(limit, cache.Figures.LeaseLimit);
        var file = cache.OpenRun(0, Length);
        var leases = new List<PageMemoryLease>();
        for (var page = 0; page < limit; page++)
        {
            leases.Add(await file.PinAsync(page * 4096));
        }

        Assert.Equal(limit, cache.Figures.LeasedFrames);
        Assert.Equal(MemoryDevice.Word(50 * 4096), file.ReadWord(50 * 4096));
        Assert.False(file.TryPin(50 * 4096, out _));
        Assert.True(file.TryPin(0, out var again));
        again.Dispose();
        Files.AssertSame(cache.Device.Copy(0, Length), file.ReadAll());
        leases[0].Dispose();
        file.ReadWord(50 * 4096);
        Assert.True(file.TryPin(50 * 4096, out var freed));
        freed.Dispose();
        leases.ForEach(lease => lease.Dispose());
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Beyond_the_limit_PinAsync_waits_until_a_lease_is_given_back()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        var first = await file.PinAsync(0);
        using var second = await file.PinAsync(4096);
        using var third = await file.PinAsync(8192);
        var waiting = file.PinAsync(12288).AsTask();
        Assert.False(waiting.IsCompleted);
        first.Dispose();
        using var fourth = await waiting.Within();
        Assert.Equal(MemoryDevice.Word(12288), BitConverter.ToUInt64(fourth.Memory.Span));
    }

    [Fact]
    [Trait("Contract", "C9")]
    [Trait("Row", "G2")]
    public async Task A_wait_for_a_lease_can_be_cancelled()
    {
        using var cache = new TestCache(frames: 3);
        var file = cache.OpenRun(0, Length);
        using var held = await file.PinAsync(0);
        using var cancel = new CancellationTokenSource();
        var waiting = file.PinAsync(4096, cancel.Token).AsTask();
        var range = file.PinRangeAsync(8192, 10, cancel.Token).AsTask();
        Assert.False(waiting.IsCompleted);
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.Within());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => range.Within());
        Assert.Equal(MemoryDevice.Word(4096), file.ReadWord(4096));
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task A_wait_for_a_lease_ends_when_the_file_is_closed()
    {
        using var cache = new TestCache(frames: 3);
        var file = cache.OpenRun(0, Length);
        using var held = await file.PinAsync(0);
        var waiting = file.PinAsync(4096).AsTask();
        file.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting.Within());
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task A_range_that_could_never_be_leased_is_refused_with_the_numbers()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, Length);
        var message = (await Assert.ThrowsAsync<CacheCapacityException>(async () => await file.PinRangeAsync(0, 4 * 4096))).Message;
        Assert.Contains("4 pages", message);
        Assert.Contains("3 frames", message);
        await Assert.ThrowsAsync<CacheCapacityException>(async () => await file.PinRangeAsync(0, long.MaxValue));
        Assert.Equal(0, cache.ResidentPages);
        using var range = await file.PinRangeAsync(0, 3 * 4096);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Two_ranges_that_do_not_fit_together_are_leased_one_after_the_other()
    {
        using var cache = new TestCache(frames: 8);
        var (one, two) = (cache.OpenRun(0, Length), cache.OpenRun(1 << 20, Length));
        var gate = ReadGate.Before(cache.Device, run => run.Offset % (1 << 20) == 4096);
        var first = one.PinRangeAsync(0, 3 * 4096).AsTask();
        var second = two.PinRangeAsync(0, 3 * 4096).AsTask();
        await gate.Arrived;
        gate.Open();
        var winner = await Task.WhenAny(first, second).Within();
        (await winner).Dispose();
        using var loser = await (winner == first ? second : first).Within();
        Assert.Equal(3 * 4096, loser.Sequence.Length);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task A_range_on_a_stalled_device_does_not_hold_up_another_volume()
    {
        using var cache = new TestCache(frames: 32);
        var other = new MemoryDevice(1 << 20).Stamp();
        var healthy = cache.Own(cache.Own(cache.Cache.AttachVolume(other)).OpenFile(new ListExtents(new Extent(0, 1 << 20, 0)), 1 << 20));
        var gate = ReadGate.Before(cache.Device);
        var stalled = cache.OpenRun(0, 1 << 20).PinRangeAsync(0, 8192).AsTask();
        await gate.Arrived;
        using (var range = await healthy.PinRangeAsync(0, 8192).Within())
        {
            Assert.Equal(8192, range.Sequence.Length);
        }

        gate.Open();
        (await stalled.Within()).Dispose();
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Many_ranges_that_compete_for_few_frames_are_all_leased_in_the_end()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, 1 << 20);
        var ranges = Enumerable.Range(0, 40).Select(i => Task.Run(async () =>
        {
            for (var round = 0; round < 10; round++)
            {
                using var range = await file.PinRangeAsync(((i * 5) + round) % 200 * 4096, 3 * 4096);
                await Task.Yield();
                Assert.Equal(3 * 4096, range.Sequence.Length);
            }
        })).ToArray();
        await Task.WhenAll(ranges).Within();
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task A_lease_waits_while_its_volume_loads_all_that_it_may_and_then_gets_a_frame()
    {
        using var cache = new TestCache(frames: 5);
        var file = cache.OpenRun(0, Length);
        var gate = ReadGate.Before(cache.Device);
        var loads = Enumerable.Range(0, 2).Select(page => file.ReadAsync(page * 4096, new byte[8]).AsTask()).ToArray();
        Assert.Equal(2, gate.Waiting);
        var lease = file.PinAsync(40 * 4096).AsTask();
        Assert.False(lease.IsCompleted);
        gate.Open();
        await Task.WhenAll(loads).Within();
        (await lease.Within()).Dispose();
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Leases_on_pages_that_read_zero_are_not_limited()
    {
        using var cache = new TestCache(frames: 3);
        var file = cache.Open(new ListExtents(), 1 << 20);
        var leases = new List<PageMemoryLease>();
        for (var page = 0; page < 100; page++)
        {
            leases.Add(await file.PinAsync(page * 4096).Within());
        }

        Assert.Equal(0, cache.Figures.LeasedFrames);
        leases.ForEach(lease => lease.Dispose());
    }
}
