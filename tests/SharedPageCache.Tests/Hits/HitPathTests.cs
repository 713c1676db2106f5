using System.Runtime.CompilerServices;
using SharedPageCache.Eviction;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Hits;

/// <summary>A hit allocates nothing, takes no lock, waits for nobody, and soon writes nothing.</summary>
public class HitPathTests
{
    private const int Length = 16 * 4096;
    private const int Rounds = 200;

    [Fact]
    [Trait("Row", "D1")]
    [Trait("Row", "H2")]
    [Trait("Row", "G3")]
    [Trait("Row", "L26")]
    public async Task Hits_allocate_nothing()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        var buffer = new byte[3 * 4096];
        file.ReadAll();
        clone.ReadAll();
        AssertNoAllocation(() => file.TryRead(100, buffer, out _));
        AssertNoAllocation(() => clone.TryRead(8, buffer.AsSpan(0, 8), out _));
        AssertNoAllocation(() => clone.Read(5000, buffer));
        AssertNoAllocation(() => Files.AtOnce(clone.ReadAsync(5000, buffer)));
        AssertNoAllocation(() =>
        {
            Assert.True(file.TryPin(4096, out var lease));
            lease.Dispose();
        });

        Assert.Equal(8, await file.ReadAsync(0, buffer.AsMemory(0, 8)));
    }

    [Fact]
    [Trait("Row", "D1")]
    [Trait("Row", "L26")]
    public void Minor_faults_allocate_nothing()
    {
        const int Pages = 256;
        using var cache = new TestCache(frames: 320);
        var resident = cache.OpenRun(0, Pages * 4096);
        var buffer = new byte[8];

        // The first round lets the reverse map's pool grow to its size; a later one finds it there.
        MappedFile? shifted = null;
        var faults = 0L;
        var allocated = Allocations.Of(
            before: () =>
            {
                resident.ReadAll();
                shifted = cache.OpenRun(4096, (Pages - 1) * 4096);
                shifted.ReadWord(0);
                faults = cache.Figures.MinorFaults;
            },
            code: () =>
            {
                for (var page = 1; page < Pages - 1; page++)
                {
                    shifted!.Read(page * 4096, buffer);
                }
            },
            after: () =>
            {
                Assert.Equal(Pages - 2, cache.Figures.MinorFaults - faults);
                shifted!.Dispose();
                cache.EvictAll();
            });
        Assert.Equal(0, allocated);
    }

    [Theory]
    [Trait("Row", "D1")]
    [Trait("Row", "L26")]
    [InlineData(EvictionPolicy.S3Fifo)]
    [InlineData(EvictionPolicy.Clock)]
    public void Evictions_allocate_nothing(EvictionPolicy policy)
    {
        using var cache = new TestCache(policy: policy);
        var file = cache.OpenRun(0, Length);
        var rooms = cache.Cache.Engine.Rooms;
        var allocated = Allocations.Of(
            before: () => file.ReadAll(),
            code: () =>
            {
                for (var i = 0; i < 16; i++)
                {
                    Assert.True(rooms.Reclaimer.TryEvict(out var frame));
                    rooms.Pool.Push(frame);
                }
            });
        Assert.Equal(0, allocated);
    }

    [Fact]
    [Trait("Row", "D1")]
    [Trait("Row", "H2")]
    public void A_hot_page_is_read_without_a_write_to_its_header_or_its_leaf()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        for (var i = 0; i < 4; i++)
        {
            file.ReadWord(4096);
        }

        var frame = file.FrameAt(4096).Value;
        ref var header = ref cache.Cache.Engine.Rooms.Frames[frame];
        var before = Unsafe.As<Frames.FrameHeader, long>(ref header);
        var (pins, use, identity, record) = (header.Pins, header.Use, header.Identity, header.Record);
        for (var i = 0; i < Rounds; i++)
        {
            Assert.True(file.TryRead(4096, new byte[4096], out _));
        }

        Assert.Equal(before, Unsafe.As<Frames.FrameHeader, long>(ref header));
        Assert.Equal((pins, use, identity, record), (header.Pins, header.Use, header.Identity, header.Record));
        Assert.Equal(0, header.Pins);
    }

    [Fact]
    [Trait("Row", "D1")]
    [Trait("Row", "L24")]
    public async Task Hits_go_on_while_others_stand_in_the_device_and_in_the_engine()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        var gate = ReadGate.Before(cache.Device);
        var engine = new TaskCompletionSource();
        var stuck = cache.Open(new ListExtents(new Extent(0, 4096, 1 << 20)) { BeforeAnswer = () => engine.Task }, 4096);
        var inEngine = Task.Run(() => stuck.Read(0, new byte[8]));
        var inDevice = cache.OpenRun(1 << 21, 4096).ReadAsync(0, new byte[8]).AsTask();
        await gate.Arrived;
        var buffer = new byte[Length];
        Assert.True(file.TryRead(0, buffer, out _));
        Assert.Equal(Length, file.Read(0, buffer));
        Assert.Equal(Length, Files.AtOnce(file.ReadAsync(0, buffer)));
        Assert.True(file.TryPin(0, out var lease));
        lease.Dispose();
        Assert.True(cache.Clone(file).TryRead(0, buffer, out _));
        Assert.False(inDevice.IsCompleted);
        engine.SetResult();
        gate.Open();
        await inDevice.Within();
        await inEngine.Within();
    }

    [Fact]
    [Trait("Row", "D1")]
    [Trait("Row", "L24")]
    public async Task Hits_take_no_lock_of_their_leaf()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        var leaf = file.Mapping.Tree.FindLeaf(0)!;
        leaf.Lock.Enter();
        try
        {
            await Task.Run(() =>
            {
                var buffer = new byte[Length];
                Assert.True(file.TryRead(0, buffer, out _));
                Assert.Equal(Length, file.Read(0, buffer));
                Assert.True(file.TryPin(0, out var lease));
                lease.Dispose();
            }).Within();
        }
        finally
        {
            leaf.Lock.Exit();
        }
    }

    [Fact]
    [Trait("Row", "D1")]
    public void Where_some_is_missing_TryRead_fails_and_neither_waits_nor_reads()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var buffer = Canary.Buffer(3 * 4096);
        Assert.False(file.TryRead(0, buffer, out var count));
        Assert.Equal(0, extents.Asked);
        file.ReadAt(0, 4097);
        Assert.False(file.TryRead(0, buffer, out count));
        Assert.Equal(0, count);
        Canary.AssertNothingForeign(buffer);
        Assert.True(file.TryRead(0, buffer.AsSpan(0, 8192), out count));
        Assert.Equal(8192, count);
        Assert.Equal(1, cache.Device.Reads);
        Assert.False(file.TryPin(8192, out _));
    }

    private static void AssertNoAllocation(Action action) => Assert.Equal(0, Allocations.Of(() =>
    {
        for (var i = 0; i < Rounds; i++)
        {
            action();
        }
    }));
}
