using SharedPageCache.Stress.Storms;
using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress;

/// <summary>Exhaustion (T10): all frames leased, very many files, very many references to one page.</summary>
public sealed class ExhaustionTests
{
    private const int Page = 4096;

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(16)]
    [InlineData(64)]
    public async Task When_leases_hold_all_they_may_reads_go_on_and_leases_wait(int frames)
    {
        var device = new PlainDevice(Page, 256);
        using var cache = new PageCache(new PageCacheOptions { PageSize = Page, ExactFrameCount = frames });
        using var volume = cache.AttachVolume(device);
        var map = new PlainMap(new Extent(0, 200 * Page, 0));
        using var file = volume.OpenFile(map, 200 * Page);
        var limit = (int)cache.GetStatistics().LeaseLimit;
        var leases = new List<PageMemoryLease>();
        for (var page = 0; page < limit; page++)
        {
            leases.Add(await file.PinAsync((long)page * Page));
        }

        Assert.False(file.TryPin((long)limit * Page, out _));
        using (var patience = new CancellationTokenSource(50))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.PinAsync(150 * Page, patience.Token));
        }

        // C9: a full cache fails no read, and a leased page may be leased again.
        map.AssertReads(device, file);
        (await file.PinAsync(0)).Dispose();
        Assert.Throws<CacheCapacityException>(() => file.PinRangeAsync(0, (limit + 1L) * Page).AsTask().GetAwaiter().GetResult());
        var waiting = Enumerable.Range(0, 5).Select(i => file.PinAsync((100L + i) * Page).AsTask()).ToArray();
        await Task.Delay(20);
        Assert.All(waiting, task => Assert.False(task.IsCompleted));
        foreach (var lease in leases)
        {
            map.AssertContent(device, leases.IndexOf(lease) * Page, lease.Memory.Span);
            lease.Dispose();
        }

        // In whatever order they get them: each gives its lease back for the next.
        await Task.WhenAll(waiting.Select(static async task => (await task).Dispose())).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, Words.PinsOf(cache));
        cache.Verify();
    }

    /// <summary>Two who want ranges, each of all that leases may hold, do not wait for each other for ever (C9).</summary>
    [Fact]
    public async Task Ranges_that_compete_for_all_leases_end()
    {
        var device = new PlainDevice(Page, 256) { Gate = static async () => await Task.Yield() };
        using var cache = new PageCache(new PageCacheOptions { PageSize = Page, ExactFrameCount = 20, MaxReadAheadPages = 0 });
        using var volume = cache.AttachVolume(device);
        var map = new PlainMap(new Extent(0, 200 * Page, 0));
        using var file = volume.OpenFile(map, 200 * Page);
        var limit = cache.GetStatistics().LeaseLimit;
        var workers = Enumerable.Range(0, 4).Select(number => Task.Run(async () =>
        {
            for (var i = 0; i < 100; i++)
            {
                using var range = await file.PinRangeAsync((number * 50 + i % 30) * Page, limit * Page);
            }
        }));
        await Task.WhenAll(workers).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, Words.PinsOf(cache));
        cache.Verify();
    }

    [Fact]
    public void A_hundred_thousand_open_files_read_right()
    {
        var device = new PlainDevice(Page, 1024);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 512L << 20, PageSize = Page });
        using var volume = cache.AttachVolume(device);
        var map = new PlainMap(new Extent(0, 64 * Page, 100 * Page));
        var files = new List<MappedFile> { volume.OpenFile(map, 64 * Page) };
        var count = Soak.Scaled(100_000);
        var word = new byte[8];
        for (var i = 1; i < count; i++)
        {
            files.Add(i % 4 == 0 ? volume.OpenFile(map, 64 * Page) : files[i / 2].Clone());
            files[i].Read(i % 64 * (long)Page, word);
            map.AssertContent(device, i % 64 * (long)Page, word);
        }

        var figures = cache.GetStatistics();
        Assert.Equal(count, figures.OpenFiles);
        Assert.Equal(64L * Page * count, figures.LogicalBytes);
        Assert.Equal(64, figures.DevicePagesRead);
        Assert.Equal((count - 1 - 64L) * Page, figures.SavedBytes);
        var shown = volume.FindReferences(new BlockRun(100 * Page, Page)).Count();
        Assert.Equal(count, shown);
        cache.Verify();
        files.ForEach(static file => file.Dispose());
        Assert.Equal(0, cache.GetStatistics().OpenFiles);
        Assert.Equal(0, cache.GetStatistics().SavedBytes);
        cache.Verify();
    }

    /// <summary>One block at more than 10^5 offsets: evicted, discarded and found everywhere.</summary>
    [Fact]
    public void A_page_with_very_many_references_is_evicted_and_discarded_for_all()
    {
        const int References = 110_000;
        var device = new PlainDevice(Page, 4096);
        using var cache = new PageCache(new PageCacheOptions { PageSize = Page, ExactFrameCount = 32, MaxReadAheadPages = 0 });
        using var volume = cache.AttachVolume(device);
        var pages = Soak.Scaled(References);
        var map = new RepeatingMap(pages, 7);
        using var file = volume.OpenFile(map, (long)pages * Page);
        var word = new byte[8];
        for (var page = 0L; page < pages; page++)
        {
            file.Read(page * Page, word);
            Assert.Equal(Word.Of(device.SerialOf(7), 0), BitConverter.ToUInt64(word));
        }

        Assert.Equal(1, device.Reads);
        Assert.Equal(1, cache.GetStatistics().DevicePagesRead);
        Assert.Equal(pages, volume.FindReferences(new BlockRun(7 * Page, Page)).Count());
        cache.Verify();

        device.Renew(7);
        volume.Discard(new BlockRun(7 * Page, Page));
        for (var page = 0L; page < pages; page += 97)
        {
            file.Read(page * Page, word);
            Assert.Equal(Word.Of(device.SerialOf(7), 0), BitConverter.ToUInt64(word));
        }

        // Evicted by others: references that the bounded walk did not reach are dead all the same.
        var others = new PlainMap(new Extent(0, 100 * Page, 1000 * Page));
        using var other = volume.OpenFile(others, 100 * Page);
        others.AssertReads(device, other);
        others.AssertReads(device, other);
        for (var page = 0L; page < pages; page += 89)
        {
            file.Read(page * Page, word);
            Assert.Equal(Word.Of(device.SerialOf(7), 0), BitConverter.ToUInt64(word));
        }

        cache.Verify();
    }

    /// <summary>Every page of the file shows one block.</summary>
    private sealed class RepeatingMap(int pages, int block) : IExtentMap
    {
        public long Sequence => 0;

        public ValueTask GetExtentsAsync(
            long offset, long length, System.Buffers.IBufferWriter<Extent> destination, CancellationToken cancellationToken)
        {
            for (var page = offset / Page; page * Page < offset + length && page < pages; page++)
            {
                System.Buffers.BuffersExtensions.Write(destination, [new Extent(page * Page, Page, (long)block * Page)]);
            }

            return ValueTask.CompletedTask;
        }
    }
}
