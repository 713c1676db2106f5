using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Leases;

/// <summary>Pages are native memory: the garbage collector neither counts nor moves them.</summary>
[Collection(HeapCollection.Name)]
public class NativeMemoryTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Row", "H3")]
    [Trait("Row", "H1")]
    public void Pages_live_outside_the_garbage_collected_heap()
    {
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using var cache = new TestCache(frames: 8192, deviceLength: 4096);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice());
        using var file = volume.OpenFile(new EmptyHookExtents(8000 * 4096), 8000 * 4096);
        var buffer = new byte[8];
        for (var page = 0; page < 8000; page++)
        {
            file.Read(page * 4096, buffer);
        }

        Assert.Equal(8000, cache.ResidentPages);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 4 << 20);
    }

    [Fact]
    [Trait("Row", "H3")]
    public async Task A_leased_page_does_not_move_when_the_heap_is_compacted()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        using var lease = await file.PinAsync(0);
        var before = AddressOf(lease.Memory);
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        Assert.Equal(before, AddressOf(lease.Memory));
        Files.AssertSame(cache.Device.Copy(0, 4096), lease.Memory.Span);
    }

    private static unsafe nuint AddressOf(ReadOnlyMemory<byte> memory)
    {
        using var pin = memory.Pin();
        return (nuint)pin.Pointer;
    }
}
