using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.ReverseMap;

/// <summary>The public reverse query: which files show a block, or a range of blocks, at which offsets.</summary>
public class ReverseQueryTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Row", "L32")]
    [Trait("Row", "C1")]
    [Trait("Row", "C5")]
    [Trait("Row", "L3")]
    [Trait("Row", "L9")]
    [Trait("Row", "L25")]
    public void A_block_leads_to_every_file_and_offset_that_shows_it()
    {
        using var cache = new TestCache();
        var file = Named(cache, "file", new Extent(0, Length, 0));
        var clone = cache.Clone(file, new FileOpenOptions { Name = "clone", Id = FileId.FromNumber(7) });
        var same = Named(cache, "same", new Extent(0, Length, 0));
        var shifted = Named(cache, "shifted", new Extent(4096 * 600, 8192, 4096));
        var twice = Named(cache, "twice", new Extent(0, 4096, 4096), new Extent(8192, 4096, 4096));
        var none = Named(cache, "none", new Extent(0, Length, 1 << 20));
        foreach (var opened in new[] { file, clone, same, shifted, twice, none })
        {
            opened.ReadAt(opened.Length - 4096, 1);
            opened.ReadAt(0, 4097);
        }

        Assert.Equal(
            [("clone", 4096L), ("file", 4096), ("same", 4096), ("shifted", 4096 * 600), ("twice", 0), ("twice", 8192)],
            Find(cache, 4096, 4096));
        var place = Assert.Single(cache.Volume.FindReferences(new BlockRun(4096, 4096)), place => place.Name == "clone");
        Assert.Equal(
            new PageLocation(FileId.FromNumber(7), "clone", clone.Extents, 4096, new BlockRun(4096, 4096), IsResident: true), place);
    }

    [Fact]
    [Trait("Row", "C2")]
    public void A_range_of_blocks_leads_to_every_page_that_shows_a_part_of_it()
    {
        using var cache = new TestCache();
        var file = Named(cache, "file", new Extent(0, Length, 4096 * 10), new Extent(Length, 4096, 4096 * 90));
        file.ReadAll();
        var places = cache.Volume.FindReferences(new BlockRun(4096 * 8, 4096 * 5)).ToArray();
        Assert.Equal([0, 4096, 8192], places.Select(place => place.Offset).Order());
        Assert.All(places, place => Assert.Equal(new BlockRun(4096 * 10 + place.Offset, 4096), place.Blocks));
        Assert.Equal(17, cache.Volume.FindReferences(new BlockRun(0, cache.Device.Length)).Count());
        Assert.Empty(cache.Volume.FindReferences(new BlockRun(0, 4096 * 10)));
    }

    [Fact]
    [Trait("Row", "C1")]
    [Trait("Row", "L28")]
    public void The_answer_is_complete_for_pages_that_are_not_resident()
    {
        using var cache = new TestCache();
        var file = Named(cache, "file", new Extent(0, Length, 0));
        var other = Named(cache, "other", new Extent(8192, Length, 0));
        file.ReadAt(0, 1);
        other.ReadAt(0, 1);
        Assert.Equal([("file", 40960L), ("other", 49152)], Find(cache, 40960, 4096));
        Assert.All(cache.Volume.FindReferences(new BlockRun(40960, 4096)), place => Assert.False(place.IsResident));
    }

    [Theory]
    [Trait("Row", "C1")]
    [Trait("Row", "L16")]
    [Trait("Row", "L28")]
    [InlineData(EvictionPolicy.S3Fifo)]
    [InlineData(EvictionPolicy.Clock)]
    public void The_answer_is_complete_after_evictions(EvictionPolicy policy)
    {
        using var cache = new TestCache(frames: 32, policy: policy);
        var file = Named(cache, "file", new Extent(0, Length, 0));
        var clone = cache.Clone(file, new FileOpenOptions { Name = "clone" });
        var shifted = Named(cache, "shifted", new Extent(8192, Length, 0));
        file.ReadAll();
        shifted.ReadAll();
        cache.EvictAll();
        Assert.True(cache.Figures.Evictions >= 16);
        Assert.Equal([("clone", 4096L), ("file", 4096), ("shifted", 12288)], Find(cache, 4096, 4096));
        Assert.False(file.IsResident(4096));
        shifted.ReadAll();
        Assert.Equal(
            [false, false, true],
            cache.Volume.FindReferences(new BlockRun(4096, 4096)).OrderBy(place => place.Name).Select(place => place.IsResident));
        clone.ReadAll();
        Assert.All(cache.Volume.FindReferences(new BlockRun(4096, 4096)), place => Assert.True(place.IsResident));
    }

    [Fact]
    [Trait("Row", "C3")]
    [Trait("Row", "L10")]
    [Trait("Row", "L28")]
    public void Thousands_of_sharers_are_all_found_and_none_is_a_ghost()
    {
        using var cache = new TestCache();
        var origin = Named(cache, "origin", new Extent(0, Length, 0));
        origin.ReadAll();
        var clones = Enumerable.Range(0, 3000).Select(_ => cache.Clone(origin)).ToArray();
        var strangers = Enumerable.Range(0, 500).Select(i => Named(cache, "s", new Extent((i % 50) * 4096L, Length, 0))).ToArray();
        foreach (var stranger in strangers)
        {
            stranger.ReadAt(stranger.Length - Length, 1);
        }

        Assert.Equal(3501, Find(cache, 4096, 4096).Length);
        foreach (var closed in clones.Take(2000).Concat(strangers.Take(499)))
        {
            closed.Dispose();
        }

        Assert.Equal(1002, Find(cache, 4096, 4096).Length);
        Assert.Equal(1002 * 16, cache.Volume.FindReferences(new BlockRun(0, Length)).Count());
    }

    [Fact]
    [Trait("Row", "C3")]
    public void A_place_that_a_file_has_left_is_not_shown_any_more()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        var file = cache.Open(extents, Length, new FileOpenOptions { Name = "leaver" });
        var clone = cache.Clone(file, new FileOpenOptions { Name = "clone" });
        file.ReadAll();
        extents.Replace(new Extent(0, Length, 1 << 20));
        file.InvalidateExtents(0, Length);
        Assert.Equal([("clone", 4096L)], Find(cache, 4096, 4096));
        Assert.Empty(Find(cache, (1 << 20) + 4096, 4096));
        file.ReadAll();
        Assert.Equal([("leaver", 4096L)], Find(cache, (1 << 20) + 4096, 4096));
    }

    [Fact]
    [Trait("Row", "C1")]
    [Trait("Row", "C3")]
    public void A_block_shown_by_more_unrelated_leaves_than_the_evict_walk_visits_is_still_answered_in_full()
    {
        using var cache = new TestCache();
        var files = Enumerable.Range(0, 200)
            .Select(i => Named(cache, $"f{i:000}", new Extent(0, 4096, 8192), new Extent(4096, 4096, 4096 * (100 + i)))).ToArray();
        foreach (var file in files)
        {
            Assert.Equal(MemoryDevice.Word(8192), file.ReadWord(0));
        }

        Assert.Equal(1, cache.Device.BlocksRead);
        Assert.Equal(200, cache.Cache.Engine.Rooms.Rmap.Count(files[0].FrameAt(0).Value));
        Assert.Equal(files.Select(file => (file.Name, 0L)), Find(cache, 8192, 4096));
        cache.EvictAll();
        Assert.All(files, file => Assert.False(file.IsResident(0)));
        Assert.Equal(files.Select(file => (file.Name, 0L)), Find(cache, 8192, 4096));
    }

    [Theory]
    [Trait("Row", "C1")]
    [Trait("Row", "A9")]
    [InlineData(4096, 512)]
    [InlineData(512, 4096)]
    public void Blocks_smaller_and_larger_than_the_page_are_answered_page_by_page(int pageSize, int blockSize)
    {
        using var cache = new TestCache(pageSize: pageSize, blockSize: blockSize);
        var file = Named(cache, "file", new Extent(0, 4096, 8192), new Extent(4096, 4096, 65536));
        file.ReadAll();
        var places = cache.Volume.FindReferences(new BlockRun(8192, blockSize)).ToArray();
        Assert.Equal(Math.Max(1, blockSize / pageSize), places.Length);
        Assert.Equal(blockSize, places.Sum(place => place.Blocks.Length));
        Assert.All(places, place => Assert.Equal(place.Offset, place.Blocks.Offset - 8192));
        Assert.All(places, place => Assert.True(place.IsResident));
    }

    [Fact]
    [Trait("Row", "C1")]
    public void A_page_made_of_several_runs_is_found_by_each_of_them()
    {
        using var cache = new TestCache(blockSize: 512);
        var file = Named(cache, "file", new Extent(0, 512, 512 * 7), new Extent(512, 3584, 512 * 50));
        file.ReadAll();
        Assert.Equal([("file", 0L)], Find(cache, 512 * 7, 512));
        Assert.Equal([("file", 512L + 512 * 3)], Find(cache, 512 * 53, 512));
        Assert.Equal(2, cache.Volume.FindReferences(new BlockRun(0, 512 * 100)).Count());
    }

    [Fact]
    [Trait("Row", "C4")]
    [Trait("Row", "L17")]
    public void Metadata_grows_with_extents_and_not_with_pages_times_sharers()
    {
        using var cache = new TestCache(frames: 1100);
        var files = Enumerable.Range(0, 64).Select(_ => cache.OpenRun(0, 1000 * 4096)).ToArray();
        files[0].ReadAll();
        var before = cache.Figures.MetadataBytes;
        foreach (var file in files)
        {
            file.ReadAll();
        }

        // 63 files of 1,000 pages: what they add is a file each, not a word for each page.
        Assert.InRange(cache.Figures.MetadataBytes - before, 0, 63 * 1024);
    }

    [Fact]
    [Trait("Row", "C5")]
    public void The_query_streams()
    {
        using var cache = new TestCache();
        var origin = Named(cache, "origin", new Extent(0, Length, 0));
        origin.ReadAll();
        for (var i = 0; i < 100; i++)
        {
            cache.Clone(origin);
        }

        // The first answers are there before the last are looked for: a file that closes meanwhile may still be named.
        using var answers = cache.Volume.FindReferences(new BlockRun(0, 4096)).GetEnumerator();
        Assert.True(answers.MoveNext());
        cache.Clone(origin).Dispose();
        Assert.True(answers.MoveNext());
    }

    /// <summary>The engine moves a page and tells the files by their sequence only, as it may: blocks moved.</summary>
    [Theory]
    [Trait("Row", "C1")]
    [Trait("Row", "C3")]
    [Trait("Row", "C5")]
    [InlineData(false)]
    [InlineData(true)]
    public void A_page_that_was_relocated_is_found_at_its_new_place_only(bool read)
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, 4 * 4096, 0));
        var file = cache.Open(extents, 4 * 4096, new FileOpenOptions { Name = "file" });
        var clone = cache.Clone(file, new FileOpenOptions { Name = "clone" });
        var shifted = Named(cache, "shifted", new Extent(8192, 4096, 4096));
        shifted.ReadAll();
        file.ReadAll();
        var (from, to) = (new BlockRun(4096, 4096), new BlockRun(1 << 20, 4096));
        cache.Device.Copy(from.Offset, 4096).CopyTo(cache.Device.Bytes[(int)to.Offset..]);
        cache.Volume.Relocate(from, to);
        extents.Replace(new Extent(0, 4096, 0), new Extent(4096, 4096, to.Offset), new Extent(8192, 8192, 8192));
        cache.Volume.Discard(from);
        if (read)
        {
            clone.ReadAll();
        }

        // The page of the third file was relocated too: one frame shows it, whoever maps it.
        Assert.Equal([("clone", 4096L), ("file", 4096), ("shifted", 8192)], Find(cache, to.Offset, 4096));
        Assert.All(cache.Volume.FindReferences(to), place => Assert.Equal((to, true), (place.Blocks, place.IsResident)));
        Assert.Empty(Find(cache, from.Offset, 4096));
        var all = cache.Volume.FindReferences(new BlockRun(0, cache.Device.Length)).ToArray();
        Assert.Equal(all.Length, all.Distinct().Count());
        Assert.Equal(3, all.Count(place => place.Blocks == to));
        Assert.Equal(9, all.Length);
    }

    [Fact]
    [Trait("Row", "C1")]
    [Trait("Row", "C3")]
    public void A_place_whose_block_was_given_away_is_left_out_until_its_file_was_asked_again()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, 4 * 4096, 0));
        var file = cache.Open(extents, 4 * 4096, new FileOpenOptions { Name = "file" });
        file.ReadWord(0);
        Assert.Equal([("file", 4096L)], Find(cache, 4096, 4096));
        extents.Replace(new Extent(0, 4096, 0), new Extent(4096, 4096, 1 << 20), new Extent(8192, 8192, 8192));
        cache.Volume.Discard(new BlockRun(4096, 4096));
        var heir = Named(cache, "heir", new Extent(0, 4096, 4096));
        heir.ReadAll();
        Assert.Equal([("heir", 0L)], Find(cache, 4096, 4096));
        Assert.Equal([("file", 8192L)], Find(cache, 8192, 4096));
        Assert.Empty(Find(cache, 1 << 20, 4096));
        file.ReadWord(4096);
        Assert.Equal([("file", 4096L)], Find(cache, 1 << 20, 4096));
    }

    [Fact]
    [Trait("Row", "C1")]
    [Trait("Row", "C3")]
    public void A_page_that_was_relocated_twice_or_evicted_is_no_ghost()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, 4096, 0));
        var file = cache.Open(extents, 4096, new FileOpenOptions { Name = "file" });
        file.ReadAll();
        foreach (var (from, to) in new[] { (0L, 1L << 20), (1L << 20, 2L << 20) })
        {
            cache.Device.Copy(from, 4096).CopyTo(cache.Device.Bytes[(int)to..]);
            cache.Volume.Relocate(new BlockRun(from, 4096), new BlockRun(to, 4096));
            extents.Replace(new Extent(0, 4096, to));
            cache.Volume.Discard(new BlockRun(from, 4096));
        }

        Assert.Empty(Find(cache, 0, 2 << 20));
        Assert.Equal([("file", 0L)], Find(cache, 2 << 20, 4096));
        cache.EvictAll();
        Assert.Empty(Find(cache, 0, cache.Device.Length));
        Assert.Equal(MemoryDevice.Word(0), file.ReadWord(0));
        Assert.Equal([("file", 0L)], Find(cache, 2 << 20, 4096));
    }

    private static MappedFile Named(TestCache cache, string name, params Extent[] extents) =>
        cache.Open(new ListExtents(extents), extents[^1].FileEnd, new FileOpenOptions { Name = name });

    private static (string Name, long Offset)[] Find(TestCache cache, long offset, long length) =>
        [.. cache.Volume.FindReferences(new BlockRun(offset, length)).Select(place => (place.Name!, place.Offset)).Order()];
}
