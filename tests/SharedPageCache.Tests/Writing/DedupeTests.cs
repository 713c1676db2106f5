using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Dedupe: compared, then shared; nothing that anybody reads changes.</summary>
public class DedupeTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "B11")]
    [Trait("Row", "L7")]
    [Trait("Row", "L33")]
    public async Task Equal_pages_are_shared_and_their_blocks_come_free()
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(8), cache.OpenNew(8 * Page));
        var held = Read(source, 0, 8 * Page);
        file.Write(0, held);
        await cache.Volume.FlushAsync();
        Assert.Equal(16, cache.Engine.BlocksInUse);
        Assert.Equal(8 * Page, file.Dedupe(source, 0, 0, 8 * Page));
        await cache.Volume.FlushAsync();
        Assert.Equal(8, cache.Engine.BlocksInUse);
        Assert.Equal(held, Read(file, 0, 8 * Page));
        Assert.Equal(held, cache.DurableOf(file));
        file.Write(5, Bytes(1, 5));
        Assert.Equal(held, Read(source, 0, 8 * Page));
    }

    [Fact]
    [Trait("Row", "B11")]
    public async Task It_ends_at_the_first_difference_and_changes_nothing()
    {
        using var cache = new WriteCache(frames: 64);
        var (source, file) = (cache.OpenMapped(40), cache.OpenNew(40 * Page));
        var held = Read(source, 0, 40 * Page);
        held[(20 * Page) + 17] ^= 1;
        file.Write(0, held);
        var piece = (int)file.MaxAtomicWrite;
        Assert.Equal(20 * Page / piece * piece, file.Dedupe(source, 0, 0, 40 * Page));
        Assert.Equal(held, Read(file, 0, 40 * Page));
        Assert.Equal(0, file.Dedupe(source, 20 * Page, 20 * Page, 20 * Page));
        Assert.Equal(0, file.Dedupe(source, 0, 1, Page));
        Assert.Equal(held, Read(file, 0, 40 * Page));
        await cache.Volume.FlushAsync();
        Assert.Equal(held, cache.DurableOf(file));
    }

    [Fact]
    [Trait("Row", "B11")]
    public void Dirty_pages_are_shared_and_edges_only_compared()
    {
        using var cache = new WriteCache(frames: 512);
        var (source, file) = (cache.OpenNew(4 * Page), cache.OpenNew((3 * Page) + 100));
        source.Write(0, Bytes(1, 4 * Page));
        file.Write(0, Bytes(1, (3 * Page) + 100));
        Assert.Equal(8 * Page, cache.Figures.DirtyBytes);

        // The page that the range begins in is not shared; the one that the file ends in is.
        Assert.Equal((2 * Page) + 100, file.Dedupe(source, 10, 10, (3 * Page) + 90));
        Assert.Equal(5 * Page, cache.Figures.DirtyBytes);
        Assert.Equal((3 * Page) + 100, file.Length);
        source.Write(2 * Page, Bytes(2, 10));
        Assert.Equal(Bytes(1, 4 * Page)[..((3 * Page) + 100)], Read(file, 0, (3 * Page) + 100));

        // A difference in an edge is one.
        file.Write(20, Bytes(3, 1));
        Assert.Equal(0, file.Dedupe(source, 10, 10, Page));
    }

    [Fact]
    [Trait("Row", "B11")]
    public async Task A_write_that_comes_between_comparing_and_sharing_waits()
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(2), cache.OpenNew(2 * Page));
        file.Write(0, Read(source, 0, 2 * Page));
        Task? write = null;
        cache.Engine.Before = call =>
        {
            if (call == "CloneRange")
            {
                write = Task.Run(() => file.Write(Page, Bytes(1, 10)));
                Assert.False(write.Wait(20));
            }
        };
        Assert.Equal(2 * Page, await file.DedupeAsync(source, 0, 0, 2 * Page));
        await write!.Within();
        Assert.Equal(Bytes(1, 10), Read(file, Page, 10));
        Assert.NotEqual(Bytes(1, 10), Read(source, Page, 10));
    }

    [Fact]
    [Trait("Row", "B11")]
    [Trait("Row", "B5")]
    public void An_engine_that_refuses_or_a_device_that_fails_leaves_both_as_they_were()
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(2), cache.OpenNew(2 * Page));
        var held = Read(source, 0, 2 * Page);
        file.Write(0, held);
        cache.Engine.Before = static call => _ = call == "CloneRange" ? throw new IOException("refused.") : 0;
        Assert.Throws<IOException>(() => file.Dedupe(source, 0, 0, 2 * Page));
        cache.Engine.Before = null;
        cache.Volume.Discard(new BlockRun(0, cache.Device.Length));
        cache.Device.BeforeRead = static _ => throw new IOException("broken.");
        Assert.Throws<PageLoadException>(() => file.Dedupe(source, 0, 0, 2 * Page));
        cache.Device.BeforeRead = null;
        Assert.Equal(held, Read(file, 0, 2 * Page));
        Assert.Equal(2 * Page, file.Dedupe(source, 0, 0, 2 * Page));
    }
}
