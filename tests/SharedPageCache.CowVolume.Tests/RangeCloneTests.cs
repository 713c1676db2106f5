using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>Ranges that the cache clones: shared on disk, there again when the volume is opened, whole after a crash.</summary>
public sealed class RangeCloneTests
{
    private const int Page = 512;

    [Fact]
    public async Task A_cloned_range_shares_its_blocks_and_is_there_again()
    {
        var device = new SectorDevice(8 << 20, Page);
        byte[] expected;
        byte[] held;
        using (var volume = CowVolume.Create(device))
        {
            using var cache = NewCache();
            await using var attached = volume.Attach(cache);
            using var source = attached.OpenFile(volume.CreateFile("source"), 0);
            using var file = attached.OpenFile(volume.CreateFile("file"), 0);
            held = WriteBack.Bytes((300 * Page) + 77, 1);
            source.Write(0, held);
            await attached.FlushAsync();
            var shown = volume.GetStatistics().ContentBlocks;
            file.Write(0, WriteBack.Bytes(10 * Page, 2));
            source.Write(5 * Page, WriteBack.Bytes(Page + 9, 3));
            WriteBack.Bytes(Page + 9, 3).CopyTo(held, 5 * Page);
            file.CloneRange(source, 100, (2 * Page) + 100, long.MaxValue);
            await file.FlushAsync();

            // Its first two pages and the edge are its own, and the two pages that were dirty moved; all else is shared.
            Assert.Equal(shown + 3, volume.GetStatistics().ContentBlocks);
            expected = [.. WriteBack.Bytes(10 * Page, 2)[..((2 * Page) + 100)], .. held[100..]];
            Assert.Equal(expected.Length, file.Length);
            volume.AssertClean();
        }

        using var again = CowVolume.Open(device);
        Assert.Equal(expected, again.ReadAll(again.OpenFile("file")));
        Assert.Equal(held, again.ReadAll(again.OpenFile("source")));
        again.AssertClean();
    }

    [Fact]
    public async Task After_a_power_cut_at_any_write_each_page_is_what_it_was_or_what_was_cloned()
    {
        for (var cut = 0; await RunAsync(cut); cut++)
        {
            Assert.InRange(cut, 0, 200);
        }
    }

    [Fact]
    public async Task Ranges_that_are_refused_change_nothing()
    {
        using var volume = CowVolume.Create(new SectorDevice(4 << 20, Page));
        var (source, file) = (volume.CreateFile("source"), volume.CreateFile("file"));
        await volume.WriteAsync(source, 0, WriteBack.Bytes(4 * Page, 1));
        await volume.WriteAsync(file, 0, WriteBack.Bytes(4 * Page, 2));
        var sequence = file.Sequence;
        SharedRange good = new(0, 0, Page);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.CloneRange(source, [good, new SharedRange(1, Page, Page)], 4 * Page));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.CloneRange(source, [good, new SharedRange(0, Page, 0)], 4 * Page));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.CloneRange(source, [good], 3 * Page));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.CloneRange(source, [good], long.MaxValue));
        Assert.Throws<ArgumentException>(() => file.CloneRange(new ExtentList(), [good], 4 * Page));
        Assert.Equal(WriteBack.Bytes(4 * Page, 2), volume.ReadAll(file));
        Assert.Equal(sequence, file.Sequence);
        volume.AssertClean();
    }

    /// <summary>False if the run ended before the power went.</summary>
    private static async Task<bool> RunAsync(int cut)
    {
        var device = new SectorDevice(2 << 20, Page);
        using var volume = CowVolume.Create(device);
        using var cache = NewCache();
        using var attached = volume.Attach(cache);
        var source = attached.OpenFile(volume.CreateFile("source"), 0);
        var file = attached.OpenFile(volume.CreateFile("file"), 0);
        var other = attached.OpenFile(volume.CreateFile("other"), 0);
        var (older, old) = (WriteBack.Bytes(12 * Page, 1), WriteBack.Bytes(10 * Page, 2));
        source.Write(0, older);
        file.Write(0, old);
        await attached.FlushAsync();
        device.CutPowerAfter(cut);
        var (wasCut, isFlushed) = (false, false);
        byte[] taken = [.. older];
        try
        {
            WriteBack.Bytes(Page, 3).CopyTo(taken, 4 * Page);
            source.Write(4 * Page, WriteBack.Bytes(Page, 3));
            file.CloneRange(source, Page + 10, (3 * Page) + 10, 9 * Page);
            other.Write(0, WriteBack.Bytes(100, 4));
            await other.FlushAsync();
            await file.FlushAsync();
            isFlushed = true;
            source.Write(4 * Page, new byte[10]);
            await source.FlushAsync();
        }
        catch (IOException)
        {
            wasCut = true;
        }

        byte[] cloned = [.. old[..((3 * Page) + 10)], .. taken[(Page + 10)..((10 * Page) + 10)]];
        using var recovered = CowVolume.Open(device.AfterPowerCut(new Random(cut)));
        recovered.AssertClean();
        var found = recovered.ReadAll(recovered.OpenFile("file"));
        Assert.True(found.Length == cloned.Length || (found.Length == old.Length && !isFlushed), $"cut {cut}: {found.Length} bytes");
        for (var page = 0; page * Page < found.Length; page++)
        {
            var shown = PageOf(found, page);
            Assert.True(
                shown.SequenceEqual(PageOf(cloned, page)) || (!isFlushed && shown.SequenceEqual(PageOf(old, page))),
                $"cut {cut}: page {page} is neither what it was nor what was cloned{(isFlushed ? ", and that was flushed" : "")}");
        }

        return wasCut;
    }

    /// <summary>A page of a file, zeros behind the end.</summary>
    private static byte[] PageOf(byte[] bytes, int page)
    {
        var held = new byte[Page];
        bytes.AsSpan(Math.Min(bytes.Length, page * Page), Math.Clamp(bytes.Length - (page * Page), 0, Page)).CopyTo(held);
        return held;
    }

    private static PageCache NewCache() => new(new PageCacheOptions { CapacityBytes = 1 << 20, PageSize = Page, MaxReadAheadPages = 0 });
}
