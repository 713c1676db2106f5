using SharedPageCache.Mappings;
using SharedPageCache.Tests.Support;
using SharedPageCache.Tests.Writing;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Clones;

/// <summary>What is not listed is equal; what is listed is stored elsewhere. And what is shared is not looked at.</summary>
public class DiffPagesTests
{
    private const int Page = 4096;
    private const int Small = 512;
    private const int WindowBytes = Window.Pages * Small;

    [Fact]
    public void Clones_differ_in_what_was_written_punched_and_cut()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(40);
        Read(file, 0, 40 * Page);
        var clone = cache.Own(file.Clone());
        Assert.Empty(file.DiffPages(clone));
        clone.Write(3 * Page, Bytes(1, 2 * Page));
        clone.Write(9 * Page + 7, Bytes(2, 1));
        Assert.Equal([new FileRange(3 * Page, 2 * Page), new FileRange(9 * Page, Page)], file.DiffPages(clone));
        Assert.Equal(file.DiffPages(clone), clone.DiffPages(file));
        file.PunchHoleAsync(5 * Page, Page).AsTask().GetAwaiter();
        Assert.Equal([new FileRange(3 * Page, 3 * Page), new FileRange(9 * Page, Page)], file.DiffPages(clone));
        clone.SetLength(20 * Page + 100);
        Assert.Equal(
            [new FileRange(3 * Page, 3 * Page), new FileRange(9 * Page, Page), new FileRange(20 * Page, 20 * Page)], file.DiffPages(clone));
        clone.SetLength(10 * Page);
        clone.PunchHoleAsync(0, 10 * Page).AsTask().GetAwaiter();
        file.SetLength(10 * Page);
        Assert.Equal([new FileRange(0, 5 * Page), new FileRange(6 * Page, 4 * Page)], file.DiffPages(clone));
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 5)]
    [InlineData(511, 514)]
    public void Windows_that_only_the_longer_file_has_differ(int windows, int more)
    {
        using var cache = new WriteCache(pageSize: Small, frames: 64);
        var file = cache.OpenNew((long)windows * WindowBytes);
        var clone = cache.Own(file.Clone());
        clone.SetLength((long)more * WindowBytes);
        clone.Write((long)(more - 1) * WindowBytes, Bytes(1, Small));
        var difference = new FileRange((long)windows * WindowBytes, (long)(more - windows) * WindowBytes);
        Assert.Equal([difference], clone.DiffPages(file));
        Assert.Equal([difference], file.DiffPages(clone));
    }

    [Fact]
    public async Task Pages_that_are_the_same_dirty_frame_or_the_same_block_are_equal()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(8);
        file.Write(0, Bytes(1, 3 * Page));
        var clone = cache.Own(file.Clone());
        Assert.Empty(clone.DiffPages(file));
        clone.Write(Page, Bytes(2, Page));
        Assert.Equal([new FileRange(Page, Page)], clone.DiffPages(file));

        // The same bytes, and yet stored elsewhere: listed.
        file.Write(2 * Page, Read(clone, 2 * Page, Page));
        Assert.Equal([new FileRange(Page, 2 * Page)], clone.DiffPages(file));
        await cache.Volume.FlushAsync();
        Assert.Equal([new FileRange(Page, 2 * Page)], clone.DiffPages(file));

        // Unrelated trees over the same blocks.
        var stranger = cache.Own(cache.Volume.OpenFile(clone.Extents, clone.Length));
        Assert.Empty(await stranger.DiffPagesAsync(clone));
        Assert.Equal([new FileRange(Page, 2 * Page)], await stranger.DiffPagesAsync(file));
        Assert.Empty(file.DiffPages(file));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task It_costs_in_proportion_to_the_difference(int changes)
    {
        const int Windows = 600;
        using var cache = new WriteCache(frames: 512, pageSize: Small);
        var file = cache.OpenNew((long)Windows * WindowBytes);
        for (var window = 0; window < Windows; window++)
        {
            Read(file, (long)window * WindowBytes, 1);
        }

        var clone = cache.Own(file.Clone());
        for (var i = 0; i < changes; i++)
        {
            clone.Write(i * 80L * WindowBytes + 9 * Small, Bytes(i, 1));
        }

        foreach (var isFlushed in new[] { false, true })
        {
            if (isFlushed)
            {
                await clone.FlushAsync();
            }

            var find = new PageDifference(file.Mapping, clone.Mapping);
            var found = await find.FindAsync(int.MaxValue, blocking: false, default);
            Assert.Equal(Enumerable.Range(0, changes).Select(i => new FileRange(i * 80L * WindowBytes + 9 * Small, Small)), found);
            Assert.Equal((changes, 0), (find.Compared, find.Asked));
        }
    }

    [Fact]
    public async Task What_neither_file_has_in_memory_the_engines_are_asked_for()
    {
        using var cache = new WriteCache(pageSize: Small, deviceLength: 1 << 20);
        var file = cache.OpenMapped(3 * Window.Pages);
        var clone = cache.Own(file.Clone());
        await clone.PunchHoleAsync(2 * WindowBytes, Small);
        await file.PunchHoleAsync(0, Small);
        var reads = cache.Device.Reads;
        Assert.Equal([new FileRange(0, Small), new FileRange(2 * WindowBytes, Small)], file.DiffPages(clone));
        Assert.Equal(reads, cache.Device.Reads);

        // Leaves that are too old to be believed are no answer either.
        Read(file, 0, 3 * WindowBytes);
        Read(clone, 0, 3 * WindowBytes);
        ((PageEngine.PageFile)clone.Extents).Rebind(9, 1000);
        clone.InvalidateExtents(0, 0);
        cache.Volume.Discard(new BlockRun(0, 1 << 20));
        Assert.Equal([new FileRange(0, Small), new FileRange(9 * Small, Small), new FileRange(2 * WindowBytes, Small)], file.DiffPages(clone));
    }

    [Fact]
    public void A_file_whose_engine_is_in_the_middle_of_a_change_is_not_believed_to_share()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(8);
        Read(file, 0, 8 * Page);
        var clone = cache.Own(file.Clone());

        // The engine has moved a page and has not said so yet: hits show the old block, the engine the new one.
        ((PageEngine.PageFile)file.Extents).Rebind(5, 100);
        Assert.Equal([new FileRange(5 * Page, Page)], clone.DiffPages(file));
        clone.Write(Page, Bytes(1, 1));
        Assert.Equal([new FileRange(Page, Page), new FileRange(5 * Page, Page)], clone.DiffPages(file));
        file.InvalidateExtents(5 * Page, Page);
        Assert.Equal([new FileRange(Page, Page), new FileRange(5 * Page, Page)], clone.DiffPages(file));
    }

    [Fact]
    public void Runs_generations_and_bytes_without_an_address_are_told_apart()
    {
        using var cache = new TestCache(blockSize: 512);
        var one = cache.Open(
            new Extent(0, Page, 0), new Extent(Page, Page, Page), new Extent(2 * Page, Page, 512), new Extent(3 * Page, Page, 0, ExtentFlags.Unwritten),
            new Extent(4 * Page, Page, 0, ExtentFlags.Opaque), new Extent(6 * Page, Page, 65536));
        var other = cache.Open(
            new Extent(0, 512, 0), new Extent(512, Page - 512, 512, ExtentFlags.Shared), new Extent(Page, Page, Page, ExtentFlags.None, 7),
            new Extent(2 * Page, 512, 512), new Extent(2 * Page + 512, Page - 512, 2048),
            new Extent(4 * Page, Page, 0, ExtentFlags.Opaque), new Extent(5 * Page, Page, 0, ExtentFlags.Hole), new Extent(6 * Page, Page, 65536));
        Assert.Equal([new FileRange(Page, 2 * Page), new FileRange(4 * Page, Page)], one.DiffPages(other));
        Assert.Equal([new FileRange(Page, 2 * Page), new FileRange(4 * Page, Page)], other.DiffPages(one));
    }

    [Fact]
    public async Task An_engine_that_changes_under_the_question_is_asked_again_and_one_that_fails_is_reported()
    {
        using var cache = new TestCache();
        var restless = new ListExtents(new Extent(0, 2 * Page, 0));
        var (one, other) = (cache.Open(restless, 2 * Page), cache.OpenRun(0, 2 * Page));
        var moves = 2;
        restless.BeforeAnswer = () =>
        {
            if (moves-- > 0)
            {
                restless.Replace(new Extent(0, Page, 0), new Extent(Page, Page, moves == 0 ? 8 * Page : 9 * Page));
            }

            return Task.CompletedTask;
        };
        Assert.Equal([new FileRange(Page, Page)], one.DiffPages(other));
        Assert.Equal(3, restless.Asked);
        restless.BeforeAnswer = static () => throw new IOException("no metadata.");
        Assert.Throws<ExtentMapException>(() => one.DiffPages(other));
        await Assert.ThrowsAsync<ExtentMapException>(() => other.DiffPagesAsync(one).AsTask());
        restless.BeforeAnswer = () =>
        {
            restless.Replace(new Extent(0, 2 * Page, 0));
            return Task.CompletedTask;
        };
        Assert.Throws<ExtentMapException>(() => one.DiffPages(other));
    }

    [Fact]
    public async Task Strangers_of_another_volume_nothing_and_closed_files_are_refused()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, 2 * Page);
        using var volume = cache.Cache.AttachVolume(cache.Device);
        using var stranger = volume.OpenFile(new ListExtents(new Extent(0, 2 * Page, 0)), 2 * Page);
        Assert.Throws<ArgumentException>(() => file.DiffPages(stranger));
        Assert.Throws<ArgumentNullException>(() => file.DiffPages(null!));
        var closed = file.Clone();
        closed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.DiffPages(closed));
        Assert.Throws<ObjectDisposedException>(() => closed.DiffPages(file));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => closed.DiffPagesAsync(file).AsTask());
        Assert.Empty(cache.OpenRun(0, 0 + Page).DiffPages(cache.OpenRun(0, Page)));
    }
}
