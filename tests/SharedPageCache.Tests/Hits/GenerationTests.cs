using SharedPageCache.Frames;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Hits;

/// <summary>Generations of frames: one tenancy each, never believed twice, never wrapped.</summary>
public class GenerationTests
{
    [Fact]
    [Trait("Row", "L16")]
    [Trait("Row", "A2")]
    public void Every_end_of_a_tenancy_advances_the_generation()
    {
        using var cache = new TestCache(frames: 8);
        var file = cache.OpenRun(0, 65536);
        var frames = cache.Cache.Engine.Rooms.Frames;
        file.ReadWord(0);
        var frame = file.FrameAt(0).Value;
        var first = frames[frame].State.Load().Generation;
        cache.EvictAll();
        var second = frames[frame].State.Load().Generation;
        Assert.True(second > first);
        cache.Device.Break([.. Enumerable.Range(0, 100).Select(i => (long)i)]);
        for (var i = 0; i < 10; i++)
        {
            Assert.Throws<PageLoadException>(() => file.ReadWord(0));
        }

        cache.Device.Heal();
        Assert.True(Enumerable.Range(0, 8).Sum(index => frames[index].State.Load().Generation) >= second + 10);
    }

    [Fact]
    [Trait("Contract", "C10")]
    [Trait("Row", "L16")]
    public void A_frame_whose_generations_are_used_up_is_retired_and_comes_back_after_a_sweep()
    {
        using var cache = new TestCache(frames: 16, firstGeneration: FrameState.LastGeneration - 3);
        var file = cache.OpenRun(0, 1 << 20);
        for (var round = 0; round < 20; round++)
        {
            // Another window each time, so that leaves are made and the sweeper is asked.
            var other = cache.Open(new Extent(0, 4096, round * 4096), new Extent(4096, 4096, (round + 300) * 4096));
            Files.AssertSame(cache.Device.Copy(0, 1 << 20), file.ReadAll());
            Assert.Equal(MemoryDevice.Word((round + 300) * 4096), other.ReadWord(4096));
            cache.Cache.Verify();
        }

        // All but the reserve have begun anew.
        Assert.Equal(12, Enumerable.Range(0, 16).Count(frame => cache.Cache.Engine.Rooms.Frames[frame].State.Load().Generation < 10_000));
        Assert.True(cache.Figures.ReadsAround < cache.Figures.DevicePagesRead);
    }

    [Fact]
    public void No_slot_names_a_retired_frame_when_its_generations_begin_again()
    {
        // More unrelated leaves show the block than an eviction turns back.
        const int Leaves = 100;
        using var cache = new TestCache(frames: 8, firstGeneration: FrameState.LastGeneration - 1);
        var rooms = cache.Cache.Engine.Rooms;
        var files = Enumerable.Range(0, Leaves).Select(i => cache.Open(new Extent(0, 4096, 0), new Extent(4096, 4096, (i + 9) * 4096))).ToArray();
        foreach (var file in files)
        {
            file.ReadWord(0);
        }

        var frame = files[0].FrameAt(0).Value;
        Assert.Equal(Leaves, rooms.Rmap.Count(frame));
        cache.EvictAll();
        Assert.Equal(FramePhase.Retired, rooms.Frames[frame].State.Load().Phase);
        Assert.NotEqual(0, Naming(frame));
        rooms.Sweeper.Sweep();
        Assert.Equal(FramePhase.Free, rooms.Frames[frame].State.Load().Phase);
        Assert.Equal(0, Naming(frame));
        Assert.All(files, file => Assert.Equal(MemoryDevice.Word(0), file.ReadWord(0)));

        int Naming(int retired) => rooms.Families.AllLeaves().Count(leaf => leaf[0] is { IsResident: true } reference && reference.Frame == retired);
    }
}
