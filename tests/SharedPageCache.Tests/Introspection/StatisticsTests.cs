using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Introspection;

/// <summary>Counters that tell what happened, in the terms of what was saved.</summary>
public class StatisticsTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Row", "I1")]
    public async Task Every_counter_counts_what_its_name_says()
    {
        using var cache = new TestCache(frames: 32);
        var file = cache.OpenRun(0, Length);
        file.ReadWord(0);
        file.ReadWord(0);
        Assert.True(file.TryRead(8, new byte[8], out _));
        cache.OpenRun(4096, Length).ReadWord(0);
        file.ReadWord(4096);
        var figures = cache.Figures;
        Assert.Equal((2, 1, 2, 0), (figures.Hits, figures.MinorFaults, figures.MajorFaults, figures.LoadsCoalesced));
        Assert.Equal((2, 2, 0, 0), (figures.DeviceReads, figures.DevicePagesRead, figures.PagesReadAhead, figures.ReadsAround));
        Assert.Equal(0.6, figures.HitRatio, 3);

        using (await file.PinAsync(8192))
        {
            Assert.Equal(1, cache.Figures.LeasedFrames);
        }

        cache.Volume.Discard(new BlockRun(0, 8192));
        Assert.Equal(2, cache.Figures.PagesDiscarded);
        cache.Device.Break(5);
        Assert.Throws<PageLoadException>(() => file.ReadWord(5 * 4096));
        Assert.Equal(1, cache.Figures.LoadFailures);
        cache.Device.Heal();
        cache.OpenRun(1 << 20, 100 * 4096).ReadAll();
        Assert.Equal(cache.Figures.DevicePagesRead, cache.ResidentPages + cache.Figures.Evictions + cache.Figures.PagesDiscarded
            + cache.Figures.LoadFailures + cache.Figures.ReadsAround);
    }

    [Theory]
    [Trait("Row", "I1")]
    [Trait("Row", "D3")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pages_that_a_read_waits_for_are_misses_and_no_hits(bool blocking)
    {
        // Three runs: an awaiting read starts all its loads at once.
        using var cache = new TestCache();
        var file = cache.Open(
            new Extent(0, 8 * 4096, 40 * 4096), new Extent(8 * 4096, 4 * 4096, 0), new Extent(12 * 4096, 4 * 4096, 20 * 4096));
        var gate = ReadGate.Before(cache.Device);
        if (!blocking)
        {
            var read = file.ReadAsync(10, new byte[Length - 20]).AsTask();
            await gate.Arrived;
            gate.Open();
            await read.Within();
        }
        else
        {
            gate.Open();
            file.Read(10, new byte[Length - 20]);
        }

        Assert.Equal((0, 16), (cache.Figures.Hits, cache.Figures.Misses));
        Assert.Equal(0, cache.Figures.HitRatio);
        var frames = cache.Cache.Engine.Rooms.Frames;
        Assert.Equal(0, Enumerable.Range(0, frames.Count).Sum(frame => frames[frame].Use));

        file.ReadAll();
        Assert.Equal((16, 16), (cache.Figures.Hits, cache.Figures.Misses));
        Assert.Equal(16, Enumerable.Range(0, frames.Count).Sum(frame => frames[frame].Use));
    }

    [Fact]
    [Trait("Row", "I1")]
    [Trait("Row", "D3")]
    public async Task Who_waits_for_the_load_of_another_misses_and_uses_the_pages()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, 8 * 4096);
        var gate = ReadGate.Before(cache.Device);
        var loads = file.ReadAsync(0, new byte[8 * 4096]).AsTask();
        var waits = cache.Clone(file).ReadAsync(4096, new byte[7 * 4096]).AsTask();
        await gate.Arrived;
        Assert.Equal(1, cache.Figures.LoadsCoalesced);
        gate.Open();
        await loads.Within();
        await waits.Within();
        Assert.Equal((0, 15), (cache.Figures.Hits, cache.Figures.Misses));
        var frames = cache.Cache.Engine.Rooms.Frames;
        Assert.Equal(7, Enumerable.Range(0, frames.Count).Sum(frame => frames[frame].Use));
    }

    [Fact]
    [Trait("Row", "I1")]
    [Trait("Row", "D3")]
    public async Task Leases_that_wait_for_the_device_are_misses_and_no_hits()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, 16 * 4096);
        var frames = cache.Cache.Engine.Rooms.Frames;
        using (await file.PinRangeAsync(0, 12 * 4096))
        {
            Assert.Equal((0, 12), (cache.Figures.Hits, cache.Figures.Misses));
            Assert.Equal(0, Enumerable.Range(0, frames.Count).Sum(frame => frames[frame].Use));
        }

        using (await file.PinRangeAsync(0, 12 * 4096))
        {
            Assert.Equal((12, 12), (cache.Figures.Hits, cache.Figures.Misses));
            Assert.Equal(12, Enumerable.Range(0, frames.Count).Sum(frame => frames[frame].Use));
        }
    }

    [Fact]
    [Trait("Row", "I1")]
    public void Figures_of_an_idle_cache_are_its_shape()
    {
        using var cache = new TestCache(capacity: 8 << 20, pageSize: 8192);
        var figures = cache.Figures;
        Assert.Equal((8 << 20, 8192), (figures.CapacityBytes, figures.PageSize));
        Assert.InRange(figures.FrameCount * 8192, (8 << 20) * 9 / 10, 8 << 20);
        Assert.InRange(figures.MetadataBytes, 1, (8 << 20) - (figures.FrameCount * 8192));
        Assert.Equal((0, 0, 0, 0), (figures.ResidentBytes, figures.LogicalBytes, figures.SavedBytes, figures.OpenFiles));
        Assert.Equal(0, figures.HitRatio);
    }

    [Fact]
    [Trait("Row", "I2")]
    [Trait("Row", "L24")]
    public void Saved_bytes_count_pages_that_files_really_used()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var clones = Enumerable.Range(0, 10).Select(_ => cache.Clone(file)).ToArray();
        Assert.Equal(11L * Length, cache.Figures.LogicalBytes);
        Assert.Equal(0, cache.Figures.SavedBytes);
        file.ReadAll();
        Assert.Equal((Length, 0), (cache.Figures.ResidentBytes, cache.Figures.SavedBytes));

        // Clones that nobody read save nothing, however many there are.
        clones[0].ReadAt(0, 4 * 4096);
        Assert.Equal(4 * 4096, cache.Figures.SavedBytes);
        clones[0].ReadAt(0, 4 * 4096);
        clones[1].ReadAt(0, 4 * 4096);
        Assert.Equal(8 * 4096, cache.Figures.SavedBytes);

        // An unrelated tree and another offset count the same.
        var shifted = cache.OpenRun(4096, Length);
        shifted.ReadAt(0, 4096);
        Assert.Equal(9 * 4096, cache.Figures.SavedBytes);

        // Closed, discarded and evicted pages save nothing any more.
        clones[1].Dispose();
        Assert.Equal(5 * 4096, cache.Figures.SavedBytes);
        cache.Volume.Discard(new BlockRun(4096, 4096));
        Assert.Equal(3 * 4096, cache.Figures.SavedBytes);
        cache.EvictAll();
        Assert.Equal(0, cache.Figures.SavedBytes);
        Assert.Equal(0, cache.ResidentPages);
    }

    [Fact]
    [Trait("Row", "I2")]
    public void Saved_bytes_are_counted_anew_when_leaves_were_reclaimed()
    {
        using var cache = new TestCache();
        var rooms = cache.Cache.Engine.Rooms;
        var file = cache.OpenRun(0, Length);
        MappedFile[] files = [file, .. Enumerable.Range(0, 10).Select(_ => cache.Clone(file))];
        Array.ForEach(files, opened => opened.ReadAll());
        Assert.Equal(10 * Length, cache.Figures.SavedBytes);

        // The emptied leaf goes; who reads again is counted again.
        cache.EvictAll();
        rooms.Sweeper.Sweep();
        Assert.Equal(0, cache.Figures.SavedBytes);
        Array.ForEach(files, opened => opened.ReadAll());
        Assert.Equal(10 * Length, cache.Figures.SavedBytes);
        Assert.Equal(new FileReport(Length, Length, Length, (long)Math.Round(Length / 11.0)), file.GetReport());

        // Nobody's close takes off what another file has used.
        var late = cache.Clone(file);
        late.ReadAll();
        files[1].Dispose();
        Assert.Equal(10 * Length, cache.Figures.SavedBytes);

        // A leaf that goes with its pages in it: they come back without the device, and count as before.
        cache.OpenRun(1 << 20, 4096).ReadWord(0);
        var reads = cache.Figures.DeviceReads;
        rooms.Sweeper.Prune(static () => 1);
        Assert.False(file.IsResident(0));
        Assert.Equal(0, cache.Figures.SavedBytes);
        Array.ForEach([.. files[2..], file, late], opened => Files.AssertSame(cache.Device.Copy(0, Length), opened.ReadAll()));
        Assert.Equal(10 * Length, cache.Figures.SavedBytes);
        Assert.Equal(reads, cache.Figures.DeviceReads);
        Assert.True(cache.Figures.UncollectedBytes >= 0);
    }

    [Fact]
    [Trait("Row", "I2")]
    public async Task Leases_and_prefetches_count_as_use_only_of_the_file_that_made_them()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        await file.PrefetchAsync(0, Length);
        Assert.Equal(0, cache.Figures.SavedBytes);
        Assert.True(file.TryPin(0, out var lease));
        lease.Dispose();
        Assert.True(clone.TryPin(0, out lease));
        lease.Dispose();
        Assert.Equal(4096, cache.Figures.SavedBytes);
    }

    [Fact]
    [Trait("Row", "I2")]
    [Trait("Row", "I3")]
    [Trait("Row", "L24")]
    public void A_report_charges_each_file_its_share()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        var third = cache.OpenRun(0, Length);
        Assert.Equal(new FileReport(0, 0, 0, 0), file.GetReport());
        file.ReadAll();
        Assert.Equal(new FileReport(Length, Length, 0, Length), file.GetReport());
        Assert.Equal(new FileReport(Length, 0, 0, 0), clone.GetReport());
        clone.ReadAt(0, 8 * 4096);
        third.ReadAt(0, 4 * 4096);

        // 4 pages by three, 4 by two, 8 alone.
        Assert.Equal(
            new FileReport(Length, Length, 8 * 4096, (8 * 4096) + (4 * 2048) + (long)Math.Round(4 * 4096 / 3.0)), file.GetReport());
        Assert.Equal(new FileReport(Length, 8 * 4096, 8 * 4096, (4 * 2048) + (long)Math.Round(4 * 4096 / 3.0)), clone.GetReport());
        var charged = new[] { file, clone, third }.Sum(opened => opened.GetReport().ProportionalBytes);
        Assert.InRange(charged, Length - 3, Length + 3);
        clone.Dispose();
        third.Dispose();
        Assert.Equal(new FileReport(Length, Length, 0, Length), file.GetReport());
    }

    [Fact]
    [Trait("Row", "I3")]
    [Trait("Row", "C5")]
    public void A_dump_says_what_is_there_and_the_reverse_query_who_shows_it()
    {
        using var cache = new TestCache();
        var file = cache.Open(new ListExtents(new Extent(0, Length, 0)), Length, new FileOpenOptions { Name = "base" });
        var clone = cache.Clone(file, new FileOpenOptions { Name = "clone" });
        clone.ReadAll();
        var dump = cache.Cache.Dump();
        Assert.Contains("64 frames of 4096 bytes", dump);
        Assert.Contains("S3Fifo", dump);
        Assert.Contains("2 open files", dump);
        Assert.Contains(cache.Volume.Name, dump);

        // Page -> sharers -> files.
        var places = cache.Volume.FindReferences(new BlockRun(8192, 4096)).ToArray();
        Assert.Equal(["base", "clone"], places.Select(place => place.Name).Order());
        Assert.All(places, place => Assert.True(place.IsResident));
        Assert.All(places, place => Assert.Equal(new BlockRun(8192, 4096), place.Blocks));
    }

    [Fact]
    [Trait("Row", "I1")]
    public void Figures_cost_the_same_whatever_the_cache_holds()
    {
        using var cache = new TestCache(frames: 1000);
        var first = Allocated(cache);
        var file = cache.OpenRun(0, 4 << 20);
        file.ReadAll();
        for (var i = 0; i < 1000; i++)
        {
            cache.Clone(file).ReadWord(0);
        }

        Assert.InRange(Allocated(cache), 0, first);
    }

    private static long Allocated(TestCache cache)
    {
        return Allocations.Of(() =>
        {
            for (var i = 0; i < 10; i++)
            {
                cache.Cache.GetStatistics();
            }
        });
    }
}
