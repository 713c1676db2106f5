using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Invalidation;

/// <summary>Blocks move: cached pages follow without being read again, and nothing old is found at either place.</summary>
public class RelocateTests
{
    private const int Length = 16 * 4096;
    private const int Target = 1 << 20;

    [Fact]
    [Trait("Row", "F2")]
    [Trait("Row", "F3")]
    [Trait("Row", "A1")]
    public async Task Pages_follow_their_content_and_leases_stay_valid()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var expected = cache.Device.Copy(0, Length);
        file.ReadAll();
        var lease = await file.PinAsync(4096);
        expected.CopyTo(cache.Device.Bytes[Target..]);
        cache.Volume.Relocate(new BlockRun(0, Length), new BlockRun(Target, Length));
        Assert.True(file.TryRead(0, new byte[Length], out _));
        extents.Replace(new Extent(0, Length, Target));
        cache.Volume.Discard(new BlockRun(0, Length));
        cache.Device.StampBlock(0, version: 1);

        var buffer = new byte[Length];
        Assert.True(file.TryRead(0, buffer, out _));
        Files.AssertSame(expected, buffer);
        Files.AssertSame(expected.AsSpan(4096, 4096), lease.Memory.Span);
        var fresh = cache.OpenRun(Target, Length);
        Files.AssertSame(expected, fresh.ReadAll());
        Assert.Equal(file.FrameAt(0), fresh.FrameAt(0));
        Assert.Equal(16, cache.Device.BlocksRead);
        Assert.Equal(MemoryDevice.Word(0, 1), cache.OpenRun(0, 4096).ReadWord(0));
        lease.Dispose();

        // Evicted, the page is found at its new place.
        cache.EvictAll();
        Files.AssertSame(expected, file.ReadAll());
    }

    [Fact]
    [Trait("Row", "F3")]
    [Trait("Row", "A2")]
    public void Moved_blocks_take_the_generation_they_are_given()
    {
        using var cache = new TestCache();
        var file = cache.Open(new Extent(0, 4096, 0, ExtentFlags.None, 3));
        file.ReadAll();
        cache.Device.Copy(0, 4096).CopyTo(cache.Device.Bytes[Target..]);
        cache.Volume.Relocate(new BlockRun(0, 4096), new BlockRun(Target, 4096), fromGeneration: 3, toGeneration: 9);
        cache.Open(new Extent(0, 4096, Target, ExtentFlags.None, 9)).ReadAll();
        Assert.Equal(1, cache.Device.BlocksRead);
        cache.Open(new Extent(0, 4096, Target, ExtentFlags.None, 8)).ReadAll();
        Assert.Equal(2, cache.Device.BlocksRead);
    }

    [Theory]
    [Trait("Row", "F3")]
    [Trait("Row", "F4")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_fill_of_a_block_that_moves_is_thrown_away(bool afterwards)
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length);
        var expected = cache.Device.Copy(0, Length);
        var gate = ReadGate.After(cache.Device);
        var buffer = new byte[8];
        var read = file.ReadAsync(4096, buffer).AsTask();
        await gate.Arrived;
        expected.CopyTo(cache.Device.Bytes[Target..]);
        cache.Volume.Relocate(new BlockRun(0, Length), new BlockRun(Target, Length));
        extents.Replace(new Extent(0, Length, Target));
        cache.Device.AfterRead = null;
        if (afterwards)
        {
            cache.Volume.Discard(new BlockRun(0, Length));
            cache.Device.StampBlock(1, version: 1);
        }

        gate.Open();
        await read.Within();
        Assert.Equal(MemoryDevice.Word(4096), BitConverter.ToUInt64(buffer));
        Assert.Equal(MemoryDevice.Word(4096), file.ReadWord(4096));
    }

    [Fact]
    [Trait("Contract", "C8")]
    [Trait("Contract", "C1")]
    public void What_was_cached_of_the_target_is_gone()
    {
        using var cache = new TestCache();
        var target = cache.OpenRun(Target, 4096);
        Assert.Equal(MemoryDevice.Word(Target), target.ReadWord(0));
        var file = cache.OpenRun(0, 4096);
        file.ReadAll();
        cache.Device.Copy(0, 4096).CopyTo(cache.Device.Bytes[Target..]);
        cache.Volume.Relocate(new BlockRun(0, 4096), new BlockRun(Target, 4096));
        Assert.Equal(MemoryDevice.Word(0), target.ReadWord(0));
    }

    [Theory]
    [Trait("Row", "A9")]
    [Trait("Contract", "C8")]
    [InlineData(512)]
    [InlineData(4096)]
    public void Blocks_smaller_than_the_page_that_move_drop_the_pages_they_are_a_part_of(int distance)
    {
        using var cache = new TestCache(blockSize: 512);
        var extents = new ListExtents(new Extent(0, 8192, 0));
        var file = cache.Open(extents, 8192);
        var composite = cache.Open(new Extent(0, 512, 512 * 3), new Extent(512, 3584, 512 * 200));
        file.ReadAll();
        composite.ReadAll();
        var moved = cache.Device.Copy(512 * 3, 512);
        moved.CopyTo(cache.Device.Bytes[((512 * 3) + (8 * distance))..]);
        cache.Volume.Relocate(new BlockRun(512 * 3, 512), new BlockRun((512 * 3) + (8 * distance), 512));
        cache.Device.StampBlock(3, version: 1);
        extents.Replace(new Extent(0, 512 * 3, 0), new Extent(512 * 3, 512, (512 * 3) + (8 * distance)), new Extent(512 * 4, 8192 - (512 * 4), 512 * 4));
        cache.Volume.Discard(new BlockRun(512 * 3, 512));
        Files.AssertSame(moved, file.ReadAt(512 * 3, 512));
        Assert.Equal(MemoryDevice.Word(512 * 3, 1), composite.ReadWord(0));
        Assert.Equal(MemoryDevice.Word(0), file.ReadWord(0));
    }

    [Fact]
    [Trait("Row", "F3")]
    public void A_move_by_less_than_a_page_drops_the_pages()
    {
        using var cache = new TestCache(blockSize: 512);
        var file = cache.OpenRun(0, 8192);
        file.ReadAll();
        cache.Volume.Relocate(new BlockRun(0, 4096), new BlockRun(65536 + 512, 4096));
        Assert.False(file.IsResident(0));
        Assert.True(file.IsResident(4096));
    }

    [Theory]
    [Trait("Contract", "C8")]
    [Trait("Row", "A2")]
    [InlineData(1u, 2u)]
    [InlineData(2u, 1u)]
    public void The_content_of_a_reused_block_never_follows_as_its_successors(uint oldGeneration, uint newGeneration)
    {
        // The engine gave the block out again under a new generation, without a discard; both pages are cached.
        using var cache = new TestCache();
        var old = cache.Open(new Extent(0, 4096, 0, ExtentFlags.None, oldGeneration));
        old.ReadAll();
        cache.Device.StampBlock(0, version: 1);
        var young = cache.Open(new Extent(0, 4096, 0, ExtentFlags.None, newGeneration));
        young.ReadAll();
        cache.Device.Copy(0, 4096).CopyTo(cache.Device.Bytes[Target..]);
        cache.Volume.Relocate(new BlockRun(0, 4096), new BlockRun(Target, 4096), newGeneration, 7);
        var moved = cache.Open(new Extent(0, 4096, Target, ExtentFlags.None, 7));
        Assert.Equal(MemoryDevice.Word(0, 1), moved.ReadWord(0));
    }
}
