using SharedPageCache.Tests.Nested;
using SharedPageCache.Tests.Support;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Tests.Sharing;

/// <summary>
/// Files inside a file system inside an image that is a file of the cache: their extents are resolved through the image's, so that a block is one frame
/// however many levels lead to it.
/// </summary>
public class NestedImageTests
{
    private const int Page = 4096;
    private const int ImagePages = 64;
    private const int FilePages = 16;

    /// <summary>A file of the inner file system: two runs of the image, and a hole between them.</summary>
    private static ListExtents InnerFile => new(new Extent(0, 7 * Page, 10 * Page), new Extent(8 * Page, 8 * Page, 30 * Page));

    [Fact]
    [Trait("Row", "J2")]
    public void The_guide_shows_it_word_for_word() => Assert.Equal(
        Snippet.OfSource("tests/SharedPageCache.Tests/NestedExtents.cs", "nested-extents"),
        Snippet.OfPage("docs/engine-guide.md", "### Images in files"));

    [Fact]
    [Trait("Row", "A8")]
    [Trait("Row", "L24")]
    [Trait("Row", "L33")]
    public void A_block_is_read_once_and_is_one_frame_for_the_image_its_clones_and_the_files_in_them()
    {
        using var cache = new WriteCache(frames: 256);
        var image = cache.OpenMapped(ImagePages);
        var clones = Enumerable.Range(0, 10).Select(_ => cache.Own(image.Clone())).ToArray();
        var files = clones.Append(image).Select(each => OpenInside(cache, InnerFile, each)).ToArray();

        // A third level: a file inside an image that is that file.
        var deepest = files.Select(each => OpenInside(cache, new ListExtents(new Extent(0, 4 * Page, 9 * Page)), each)).ToArray();

        var expected = files[0].ReadAll();
        Assert.Equal(cache.Device.Copy(10 * Page, 7 * Page), expected[..(7 * Page)]);
        Assert.True(expected.AsSpan(7 * Page, Page).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(cache.Device.Copy(30 * Page, 8 * Page), expected[(8 * Page)..]);
        Assert.Equal(15, cache.Device.BlocksRead);

        Assert.All(files, file => Assert.Equal(expected, file.ReadAll()));
        Assert.All(deepest, file => Assert.Equal(expected[(9 * Page)..(13 * Page)], file.ReadAt(0, 4 * Page)));
        foreach (var each in clones.Append(image))
        {
            Assert.Equal(expected[..(7 * Page)], each.ReadAt(10 * Page, 7 * Page));
            Assert.Equal(FrameOf(files[3], 9 * Page), FrameOf(each, 31 * Page));
        }

        Assert.Equal(FrameOf(files[3], 9 * Page), FrameOf(deepest[5], 0));
        Assert.Equal(15, cache.Device.BlocksRead);
        Assert.Equal(15 * Page, cache.Figures.ResidentBytes);

        // The operator's question finds all of them: 11 images, 11 files in them, 11 files in those.
        Assert.Equal(33, cache.Volume.FindReferences(new BlockRun(31 * Page, Page)).Count());
        Assert.Equal(22, cache.Volume.FindReferences(new BlockRun(12 * Page, Page)).Count());
    }

    [Fact]
    [Trait("Row", "A8")]
    [Trait("Row", "L24")]
    [Trait("Row", "L33")]
    public async Task What_is_written_to_a_cloned_image_is_seen_inside_that_one_alone_and_the_rest_stays_one_frame()
    {
        using var cache = new WriteCache(frames: 256);
        var image = cache.OpenMapped(ImagePages);
        var clone = cache.Own(image.Clone());
        var (inner, innerOfClone) = (InnerFile, InnerFile);
        var (file, inClone) = (OpenInside(cache, inner, image), OpenInside(cache, innerOfClone, clone));
        var before = file.ReadAll();
        Assert.Equal(before, inClone.ReadAll());

        // The inner file system writes to its device: a page of the image, which gets another block. Then it tells the cache whose extents have changed.
        var bytes = WriteTests.Bytes(1, Page);
        clone.Write(32 * Page, bytes);
        await clone.FlushAsync();
        inClone.InvalidateExtents(10 * Page, Page);
        var reads = cache.Device.BlocksRead;
        Assert.Equal(bytes, inClone.ReadAt(10 * Page, Page));
        Assert.Equal(FrameOf(clone, 32 * Page), FrameOf(inClone, 10 * Page));
        Assert.Equal(before, file.ReadAll());
        Assert.NotEqual(FrameOf(file, 10 * Page), FrameOf(inClone, 10 * Page));
        Assert.Equal(FrameOf(file, 11 * Page), FrameOf(inClone, 11 * Page));
        Assert.Equal(reads, cache.Device.BlocksRead);

        // It moves a page of its own file to another place of its device: extents of the inner map, blocks that are known already.
        image.ReadAll();
        reads = cache.Device.BlocksRead;
        inner.Replace(new Extent(0, 6 * Page, 10 * Page), new Extent(6 * Page, Page, 50 * Page), new Extent(8 * Page, 8 * Page, 30 * Page));
        file.InvalidateExtents(6 * Page, Page);
        Assert.Equal(cache.Device.Copy(50 * Page, Page), file.ReadAt(6 * Page, Page));
        Assert.Equal(FrameOf(image, 50 * Page), FrameOf(file, 6 * Page));
        Assert.Equal(reads, cache.Device.BlocksRead);
        Assert.Equal(before[(6 * Page)..(7 * Page)], inClone.ReadAt(6 * Page, Page));
    }

    /// <summary>A block that goes bad, or is freed, is so at every level.</summary>
    [Fact]
    [Trait("Row", "A8")]
    [Trait("Row", "L37")]
    public void What_happens_to_a_block_reaches_every_level()
    {
        using var cache = new WriteCache(frames: 256);
        var image = cache.OpenMapped(ImagePages);
        var file = OpenInside(cache, InnerFile, image);
        file.ReadAll();
        image.ReadAll();
        var named = cache.Volume.ReportBadBlocks(new BlockRun(33 * Page, Page));
        Assert.Equal(2, named.Count);
        Assert.Throws<PageLoadException>(() => file.ReadAt(11 * Page, 1));
        Assert.Throws<PageLoadException>(() => image.ReadAt(33 * Page, 1));
        cache.Volume.Discard(new BlockRun(33 * Page, Page));
        var reads = cache.Device.BlocksRead;
        Assert.Equal(cache.Device.Copy(33 * Page, Page), file.ReadAt(11 * Page, Page));
        Assert.Equal(cache.Device.Copy(33 * Page, Page), image.ReadAt(33 * Page, Page));
        Assert.Equal(reads + 1, cache.Device.BlocksRead);
    }

    private static FrameIndex FrameOf(MappedFile file, long offset)
    {
        file.ReadAt(offset, 1);
        return file.FrameAt(offset);
    }

    /// <summary>A file of the file system in an image, on the volume that the image lies on.</summary>
    private static MappedFile OpenInside(WriteCache cache, IExtentMap inner, MappedFile image) =>
        cache.Own(cache.Volume.OpenFile(new NestedExtents(inner, image.Extents), FilePages * Page));
}
