using System.Buffers;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>Engines that place dirty pages over blocks that a file shows; and blocks that only seem to be shown.</summary>
public class WrongPlaceTests
{
    private const int Page = 4096;

    public static TheoryData<string> ShownBlocks =>
        new("in memory", "not in memory", "another page of the file", "a clone's in place", "the origin's in place", "published before");

    [Theory]
    [Trait("Contract", "C2")]
    [Trait("Contract", "C7")]
    [MemberData(nameof(ShownBlocks))]
    public async Task A_place_that_a_file_shows_is_refused_and_nothing_is_lost(string kind)
    {
        using var cache = new WriteCache();
        var (file, other) = (cache.OpenMapped(2), cache.OpenMapped(2));
        var clone = cache.Own(file.Clone());
        var block = ExtentsOf(other).Blocks[0];
        switch (kind)
        {
            case "in memory":
                Read(other, 0, Page);
                break;
            case "not in memory":
                Read(other, Page, Page);
                break;
            case "another page of the file":
                block = ExtentsOf(file).Blocks[1];
                Read(file, 0, 2 * Page);
                break;
            case "published before":
                other.Write(0, Bytes(2, Page));
                await other.FlushAsync();
                block = ExtentsOf(other).Blocks[0];
                break;
            default:
                block = ExtentsOf(file).Blocks[0];
                Read(clone, 0, 2 * Page);
                break;
        }

        var (writer, shower) = kind switch
        {
            "the origin's in place" => (clone, file),
            "a clone's in place" => (file, clone),
            "another page of the file" => (file, file),
            _ => (file, other),
        };
        writer.Write(0, Bytes(1, Page));
        var (writes, published) = (cache.Device.Writes, cache.Engine.Published.Count);
        cache.Engine.Answer = _ => [new PlacedRun(new BlockRun(block * Page, Page))];
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => writer.FlushAsync().AsTask());
        Assert.Equal(("Place", 0L, (long)Page), (error.Step, error.Offset, error.Length));
        Assert.Contains($"shows a block of it at {(shower == file && writer == file ? Page : 0)}", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<CacheWritebackException>(() => writer.WriteAroundAsync(0, Bytes(1, Page)).AsTask());
        Assert.Equal("Place", error.Step);
        Assert.Equal((writes, published), (cache.Device.Writes, cache.Engine.Published.Count));
        Assert.Equal(Page, cache.Figures.DirtyBytes);

        cache.Engine.Answer = null;
        await writer.FlushAsync();
        Assert.Equal(0, cache.Figures.DirtyBytes);
        Assert.Equal(Bytes(1, Page), cache.DurableOf(writer)[..Page]);
        Assert.Equal(Bytes(1, Page), Read(writer, 0, Page));
    }

    public static TheoryData<string> FreeBlocks =>
        new("cut off", "a hole", "deleted", "closed", "discarded", "moved by the engine", "in place", "in place, opened twice",
            "seen by a view of the device", "of another tenancy");

    [Theory]
    [Trait("Contract", "C6")]
    [MemberData(nameof(FreeBlocks))]
    public async Task A_place_that_is_free_again_is_no_wrong_answer(string kind)
    {
        using var cache = new WriteCache();
        var (file, other) = (cache.OpenMapped(2), cache.OpenMapped(2));
        Read(other, 0, 2 * Page);
        Read(file, 0, 2 * Page);
        var block = ExtentsOf(other).Blocks[1];
        var generation = 0u;
        MappedFile? reader = null;
        switch (kind)
        {
            case "cut off":
                other.SetLength(Page);
                break;
            case "a hole":
                other.PunchHole(Page, Page);
                break;
            case "deleted":
                other.Delete();
                break;
            case "closed":
                other.Dispose();
                break;
            case "discarded":
                cache.Volume.Discard(new BlockRun(block * Page, Page));
                break;
            case "moved by the engine":
                // And not said yet.
                ExtentsOf(other).Rebind(1, 300);
                break;
            case "seen by a view of the device":
                block = 300;
                reader = cache.Own(cache.Volume.OpenFile(new ListExtents(new Extent(0, cache.Device.Length, 0)), cache.Device.Length));
                Read(reader, block * Page, Page);
                break;
            case "of another tenancy":
                generation = 1;
                break;
            case "in place, opened twice":
                reader = cache.Own(cache.Volume.OpenFile(file.Extents, 2 * Page));
                Read(reader, 0, 2 * Page);
                block = ExtentsOf(file).Blocks[0];
                break;
            default:
                block = ExtentsOf(file).Blocks[0];
                break;
        }

        file.Write(0, Bytes(1, Page));
        cache.Engine.Answer = _ => [new PlacedRun(new BlockRun(block * Page, Page), generation)];
        await file.FlushAsync();
        Assert.Equal(Bytes(1, Page), cache.Device.Copy(block * Page, Page));
        Assert.Equal(Bytes(1, Page), Read(file, 0, Page));
        Assert.Equal(block, ExtentsOf(file).Blocks[0]);
        if (reader is not null)
        {
            Assert.Equal(Bytes(1, Page), Read(reader, kind == "in place, opened twice" ? 0 : block * Page, Page));
        }

        cache.Engine.Answer = null;
        if (kind == "moved by the engine")
        {
            other.InvalidateExtents(0, 2 * Page);
            Assert.Equal(cache.Device.Copy(300 * Page, Page), Read(other, Page, Page));
        }
    }

    [Fact]
    [Trait("Contract", "C7")]
    public async Task A_place_that_the_engine_begins_to_write_itself_meanwhile_is_refused()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(Page);
        file.Write(0, Bytes(1, Page));
        DirectWrite? direct = null;
        cache.Engine.Answer = answer =>
        {
            direct = cache.Volume.BeginDirectWrite(answer[0].Blocks);
            return answer;
        };
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        Assert.Equal(("Place", 0), (error.Step, cache.Device.Writes));
        direct!.Dispose();
        cache.Engine.Answer = null;
        await file.FlushAsync();
        Assert.Equal(Bytes(1, Page), cache.DurableOf(file));
    }

    [Fact]
    [Trait("Contract", "C2")]
    public async Task A_page_that_is_made_of_pieces_shows_all_blocks_that_it_is_made_of()
    {
        const int Large = 2 * Page;
        using var cache = new WriteCache(pageSize: Large);
        var file = cache.OpenNew(Large);
        var pieced = cache.Own(cache.Volume.OpenFile(new PiecedFile(cache.Engine, new Extent(0, Large, (50 * Large) + Page)), Large));
        var expected = cache.Device.Copy((50 * Large) + Page, Large);
        Assert.Equal(expected, Read(pieced, 0, Large));
        file.Write(0, Bytes(1, Large));
        foreach (var block in (long[])[50, 51])
        {
            cache.Engine.Answer = _ => [new PlacedRun(new BlockRun(block * Large, Large))];
            var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
            Assert.Contains("shows a block of it at 0", error.Message, StringComparison.Ordinal);
        }

        cache.Engine.Answer = _ => [new PlacedRun(new BlockRun(52 * Large, Large))];
        await file.FlushAsync();
        Assert.Equal(expected, Read(pieced, 0, Large));
    }

    [Fact]
    [Trait("Row", "F6")]
    public async Task What_is_written_around_in_place_is_no_wrong_answer()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        Read(file, 0, 4 * Page);
        var block = ExtentsOf(file).Blocks[1];
        cache.Engine.Answer = _ => [new PlacedRun(new BlockRun(block * Page, 2 * Page))];
        await file.WriteAroundAsync(Page, Bytes(1, 2 * Page));
        Assert.Equal(Bytes(1, 2 * Page), cache.Device.Copy(block * Page, 2 * Page));
        Assert.Equal(Bytes(1, 2 * Page), Read(file, Page, 2 * Page));
    }

    [Fact]
    public async Task However_many_files_show_the_neighbourhood_the_look_is_bounded()
    {
        using var cache = new WriteCache(frames: 1024);
        var file = cache.OpenNew(Page);
        for (var i = 0; i < 300; i++)
        {
            Read(cache.OpenMapped(1), 0, Page);
        }

        // What is in memory is seen through the frame, whoever else is about.
        file.Write(0, Bytes(1, Page));
        cache.Engine.Answer = static _ => [new PlacedRun(new BlockRun(0, Page))];
        await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        cache.Engine.Answer = null;
        await file.FlushAsync();
        Assert.Equal(Bytes(1, Page), cache.DurableOf(file));
    }

    private static PageEngine.PageFile ExtentsOf(MappedFile file) => (PageEngine.PageFile)file.Extents;

    private static byte[] Bytes(int seed, int count) => WriteTests.Bytes(seed, count);

    private static byte[] Read(MappedFile file, long offset, int count) => WriteTests.Read(file, offset, count);

    /// <summary>A file of one page that does not begin with a block of the page's size.</summary>
    private sealed class PiecedFile(PageEngine engine, Extent extent) : PageEngine.PageFile(engine, extent.Length)
    {
        public override ValueTask GetExtentsAsync(
            long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
        {
            destination.Write([extent]);
            return ValueTask.CompletedTask;
        }
    }
}
