using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Invalidation;

/// <summary>Discard is final: no read that begins after it sees the old content, whatever was under way.</summary>
public class DiscardTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Row", "F1")]
    [Trait("Contract", "C8")]
    [Trait("Row", "L16")]
    public void No_view_sees_a_discarded_block()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        MappedFile[] views = [file, cache.Clone(file), cache.OpenRun(0, Length)];
        var shifted = cache.OpenRun(4096, Length);
        foreach (var view in views)
        {
            view.ReadAll();
        }

        shifted.ReadAll();
        cache.Device.StampBlock(3, version: 1);
        cache.Volume.Discard(new BlockRun(3 * 4096, 4096));
        Assert.All(views, view => Assert.False(view.IsResident(3 * 4096)));
        Assert.False(shifted.IsResident(2 * 4096));
        Assert.All(views, view => Assert.True(view.IsResident(2 * 4096) && view.IsResident(4 * 4096)));
        Assert.All(views, view => Assert.Equal(MemoryDevice.Word(3 * 4096, 1), view.ReadWord(3 * 4096)));
        Assert.Equal(MemoryDevice.Word(3 * 4096, 1), shifted.ReadWord(2 * 4096));
        Assert.Equal(1, cache.Figures.PagesDiscarded);
        Assert.Equal(18, cache.Device.BlocksRead);
    }

    [Theory]
    [Trait("Contract", "C8")]
    [Trait("Row", "F4")]
    [Trait("Row", "F3")]
    [Trait("Row", "L14")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_fill_begun_before_a_discard_is_not_published(bool blocking)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        var gate = ReadGate.After(cache.Device);

        // The old bytes are in the buffer when the block is freed and given out again.
        var buffer = new byte[4096];
        var read = blocking ? Task.Run(() => file.Read(4096, buffer)) : file.ReadAsync(4096, buffer).AsTask();
        await gate.Arrived;
        cache.Device.StampBlock(1, version: 1);
        cache.Volume.Discard(new BlockRun(4096, 4096));
        cache.Device.AfterRead = null;
        Assert.Equal(MemoryDevice.Word(4096, 1), clone.ReadWord(4096));
        gate.Open();
        Assert.Equal(4096, await read.Within());
        Files.AssertSame(cache.Device.Copy(4096, 4096), buffer);
        Assert.Equal(MemoryDevice.Word(4096, 1), file.ReadWord(4096));
        Assert.Equal(0, cache.Figures.LoadFailures);
    }

    [Fact]
    [Trait("Contract", "C8")]
    [Trait("Row", "F4")]
    public async Task A_discard_of_one_block_of_a_vectored_fill_kills_that_page_only()
    {
        using var cache = new TestCache(frames: 128);
        var file = cache.OpenRun(0, Length);
        var gate = ReadGate.After(cache.Device);
        var read = file.ReadAsync(0, new byte[Length]).AsTask();
        await gate.Arrived;
        cache.Device.StampBlock(5, version: 1);
        cache.Volume.Discard(new BlockRun(5 * 4096, 4096));
        cache.Device.AfterRead = null;
        gate.Open();
        await read.Within();
        Assert.Equal(MemoryDevice.Word(5 * 4096, 1), file.ReadWord(5 * 4096));
        Assert.Equal(17, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Contract", "C8")]
    [Trait("Row", "F4")]
    [Trait("Row", "A9")]
    public async Task A_fill_of_several_runs_is_not_published_when_one_of_them_is_discarded()
    {
        using var cache = new TestCache(blockSize: 512);
        var file = cache.Open(new Extent(0, 512, 512 * 9), new Extent(512, 3584, 512 * 99));
        var gate = ReadGate.After(cache.Device, run => run.Offset == 512 * 99);
        var read = file.ReadAsync(0, new byte[4096]).AsTask();
        await gate.Arrived;
        cache.Device.StampBlock(9, version: 1);
        cache.Volume.Discard(new BlockRun(512 * 9, 512));
        cache.Device.AfterRead = null;
        gate.Open();
        await read.Within();
        Assert.Equal(MemoryDevice.Word(512 * 9, 1), file.ReadWord(0));
    }

    [Fact]
    [Trait("Contract", "C8")]
    [Trait("Contract", "C9")]
    [Trait("Row", "F4")]
    public async Task A_read_around_the_cache_begun_before_a_discard_is_read_again()
    {
        using var cache = new TestCache(frames: 8);
        var rooms = cache.Cache.Engine.Rooms;
        var file = cache.OpenRun(0, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        var gate = ReadGate.After(cache.Device);
        var buffer = new byte[8];
        var read = file.ReadAsync(100 * 4096, buffer).AsTask();
        await gate.Arrived;
        cache.Device.StampBlock(100, version: 1);
        cache.Volume.Discard(new BlockRun(100 * 4096, 4096));
        cache.Device.AfterRead = null;
        gate.Open();
        await read.Within();
        Assert.Equal(MemoryDevice.Word(100 * 4096, 1), BitConverter.ToUInt64(buffer));
        Assert.Equal(2, cache.Figures.ReadsAround);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Contract", "C8")]
    [Trait("Contract", "C4")]
    [Trait("Row", "F4")]
    public async Task No_minor_fault_finds_a_discarded_page_that_a_lease_keeps()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var lease = await file.PinAsync(4096);
        cache.Device.StampBlock(1, version: 1);
        cache.Volume.Discard(new BlockRun(4096, 4096));
        var shifted = cache.OpenRun(4096, Length);
        Assert.Equal(MemoryDevice.Word(4096, 1), shifted.ReadWord(0));
        Assert.Equal(MemoryDevice.Word(4096, 1), file.ReadWord(4096));
        Assert.Equal(MemoryDevice.Word(4096), BitConverter.ToUInt64(lease.Memory.Span));
        Assert.NotEqual(lease.Frame, file.FrameAt(4096));
        Assert.Equal(file.FrameAt(4096), shifted.FrameAt(0));
        lease.Dispose();
        Assert.Equal(MemoryDevice.Word(4096, 1), file.ReadWord(4096));
    }

    [Fact]
    [Trait("Contract", "C8")]
    public void A_discard_of_everything_leaves_nothing()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        file.ReadAll();
        cache.Device.Stamp(version: 9);
        cache.Volume.Discard(new BlockRun(0, cache.Device.Length));
        Assert.Equal(0, cache.ResidentPages);
        Files.AssertSame(cache.Device.Copy(0, Length), clone.ReadAll());
        cache.Volume.Discard(new BlockRun(0, long.MaxValue & ~4095L));
        Assert.Equal(0, cache.ResidentPages);
    }

    [Fact]
    [Trait("Contract", "C8")]
    public async Task Discard_waits_for_nothing_and_may_be_called_by_the_engine_while_it_answers()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var asked = 0;
        var extents = new ListExtents(new Extent(0, Length, 0))
        {
            BeforeAnswer = () =>
            {
                if (asked++ == 0)
                {
                    cache.Volume.Discard(new BlockRun(0, Length));
                }

                return Task.CompletedTask;
            },
        };
        var file = cache.Open(extents, Length);
        var read = file.ReadAsync(0, new byte[8]).AsTask();
        await gate.Arrived;
        cache.Volume.Discard(new BlockRun(0, Length));
        cache.Volume.Discard(new BlockRun(0, Length));
        gate.Open();
        Assert.Equal(8, await read.Within());
        Assert.True(asked >= 2);
    }

    [Fact]
    [Trait("Contract", "C8")]
    [Trait("Row", "A1")]
    public void A_block_given_to_another_file_shows_that_files_bytes()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, 8192, 0));
        var owner = cache.Open(extents, 8192);
        owner.ReadAll();

        // The engine frees block 1, gives it to another file, and that file writes it.
        extents.Replace(new Extent(0, 4096, 0));
        cache.Volume.Discard(new BlockRun(4096, 4096));
        cache.Device.StampBlock(1, version: 1);
        var heir = cache.OpenRun(4096, 4096);
        Assert.Equal(MemoryDevice.Word(4096, 1), heir.ReadWord(0));
        Assert.Equal(0UL, owner.ReadWord(4096));
        Assert.Equal(MemoryDevice.Word(0), owner.ReadWord(0));
    }
}
