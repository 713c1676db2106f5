using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Hits;

/// <summary>Hints: what a caller says about a read changes what goes first and what is read ahead, and nothing else.</summary>
public class ReadHintTests
{
    private const int Page = 4096;

    public static TheoryData<EvictionPolicy> Policies => [.. Enum.GetValues<EvictionPolicy>()];

    [Theory]
    [Trait("Row", "D7")]
    [MemberData(nameof(Policies))]
    public void A_scan_that_reads_once_leaves_the_working_set_untouched(EvictionPolicy policy)
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20, policy: policy);
        var working = cache.OpenRun(0, 100 * Page);
        working.ReadAll();
        working.ReadAll();
        var scan = cache.OpenRun(1 << 20, 1500 * Page);
        Scan(scan, 1500, pagesPerRead: 4, ReadHint.Once);
        var reads = cache.Device.BlocksRead;
        working.ReadAll();
        Assert.Equal(reads, cache.Device.BlocksRead);
        Assert.True(cache.Figures.Evictions > 1000);
    }

    [Theory]
    [Trait("Row", "D7")]
    [InlineData(EvictionPolicy.Clock)]
    [InlineData(EvictionPolicy.Lru)]
    public void Without_the_hint_the_same_scan_washes_it_out(EvictionPolicy policy)
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20, policy: policy);
        var working = cache.OpenRun(0, 100 * Page);
        working.ReadAll();
        working.ReadAll();
        var scan = cache.OpenRun(1 << 20, 1500 * Page);
        Scan(scan, 1500, pagesPerRead: 4, ReadHint.Normal);
        var reads = cache.Device.BlocksRead;
        working.ReadAll();
        Assert.Equal(100, cache.Device.BlocksRead - reads);
    }

    [Theory]
    [Trait("Row", "D7")]
    [MemberData(nameof(Policies))]
    public void A_full_cache_loses_no_more_than_the_scan_has_in_hand(EvictionPolicy policy)
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20, policy: policy);
        var working = cache.OpenRun(0, 124 * Page);
        working.ReadAll();
        working.ReadAll();
        Assert.Equal(124, cache.ResidentPages);
        var scan = cache.OpenRun(1 << 20, 1500 * Page);
        Scan(scan, 1500, pagesPerRead: 4, ReadHint.Once);
        Assert.InRange(Enumerable.Range(0, 124).Count(page => !working.IsResident(page * Page)), 4, 8);
    }

    [Fact]
    [Trait("Row", "D7")]
    public async Task Leases_prefetches_and_streams_scan_without_harm_too()
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20, policy: EvictionPolicy.Clock);
        var working = cache.OpenRun(0, 100 * Page);
        working.ReadAll();
        working.ReadAll();
        var scan = cache.OpenRun(1 << 20, 300 * Page);
        for (var page = 0L; page < 300; page += 4)
        {
            using var lease = await scan.PinRangeAsync(page * Page, 4 * Page, ReadHint.Once);
            Assert.Equal(4, lease.Sequence.Length / Page);
        }

        scan = cache.OpenRun(3 << 20, 300 * Page);
        for (var page = 0L; page < 300; page++)
        {
            using var lease = await scan.PinAsync(page * Page, ReadHint.Once);
            Assert.Equal(MemoryDevice.Word((3 << 20) + (page * Page)), BitConverter.ToUInt64(lease.Memory.Span));
        }

        scan = cache.OpenRun(5 << 20, 300 * Page);
        for (var page = 0; page < 300; page += 10)
        {
            await scan.PrefetchAsync(page * Page, 10 * Page, ReadHint.Once);
        }

        var bytes = new byte[3 * Page];
        await using (var stream = cache.OpenRun(6 << 20, 300 * Page).OpenStream(ReadHint.Once))
        {
            Assert.Equal(bytes.Length, stream.Read(bytes));
            while (await stream.ReadAsync(bytes) > 0)
            {
            }
        }

        var reads = cache.Device.BlocksRead;
        working.ReadAll();
        Assert.Equal(reads, cache.Device.BlocksRead);
    }

    [Theory]
    [Trait("Row", "D7")]
    [MemberData(nameof(Policies))]
    public void What_somebody_else_uses_of_a_scan_outlives_the_rest_of_it(EvictionPolicy policy)
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20, policy: policy);
        var scan = cache.OpenRun(1 << 20, 1000 * Page);
        Scan(scan, 10, pagesPerRead: 2, ReadHint.Once);
        var other = cache.Clone(scan);
        other.ReadAt(3 * Page, 8);
        Scan(scan, 1000, pagesPerRead: 2, ReadHint.Once);
        Assert.True(other.IsResident(3 * Page));
        Assert.False(other.IsResident(4 * Page));
    }

    [Fact]
    [Trait("Row", "D7")]
    public async Task A_hit_that_reads_once_is_a_hit_and_no_use()
    {
        using var cache = new TestCache(policy: EvictionPolicy.Clock);
        var file = cache.OpenRun(0, 4 * Page);
        file.ReadAll();
        var frame = file.FrameAt(0).Value;
        var frames = cache.Cache.Engine.Rooms.Frames;
        frames[frame].Use = 0;
        var hits = cache.Figures.Hits;
        Assert.Equal(8, file.Read(0, new byte[8], ReadHint.Once));
        Assert.Equal(8, await file.ReadAsync(0, new byte[8], ReadHint.DontNeed));
        Assert.Equal((hits + 2, 0), (cache.Figures.Hits, frames[frame].UseCount));
        file.Read(0, new byte[8], ReadHint.Sequential);
        file.Read(0, new byte[8], ReadHint.WillNeed);
        Assert.Equal((hits + 4, 2), (cache.Figures.Hits, frames[frame].UseCount));
    }

    [Theory]
    [Trait("Row", "D7")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_page_that_will_be_needed_outlives_newcomers(bool byPrefetch)
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20, policy: EvictionPolicy.S3Fifo);
        var file = cache.OpenRun(0, 30 * Page);
        file.ReadAt(0, 10 * Page);
        file.ReadAt(10 * Page, 5 * Page);
        if (byPrefetch)
        {
            // The first half of them is in memory already, as newcomers that nobody has used.
            await file.PrefetchAsync(10 * Page, 10 * Page, ReadHint.WillNeed);
        }
        else
        {
            file.Read(10 * Page, new byte[10 * Page], ReadHint.WillNeed);
            file.Read(10 * Page, new byte[5 * Page], ReadHint.WillNeed);
        }

        cache.OpenRun(1 << 20, 1000 * Page).ReadAll();
        Assert.All(Enumerable.Range(0, 10), page => Assert.False(file.IsResident(page * Page)));
        Assert.All(Enumerable.Range(10, 10), page => Assert.True(file.IsResident(page * Page), $"page {page}"));
    }

    [Theory]
    [Trait("Row", "D7")]
    [MemberData(nameof(Policies))]
    public void What_was_read_for_the_last_time_goes_first(EvictionPolicy policy)
    {
        using var cache = new TestCache(frames: 128, deviceLength: 8 << 20, policy: policy);
        var done = cache.OpenRun(0, 50 * Page);
        done.ReadAll();
        done.ReadAll();
        done.ReadAll();
        var kept = cache.OpenRun(1 << 20, 74 * Page);
        kept.ReadAll();
        for (var page = 0; page < 50; page++)
        {
            // Piece by piece: only the read that comes to the end of the page has done with it.
            Assert.Equal(Page / 2, done.Read(page * Page, new byte[Page / 2], ReadHint.DontNeed));
            Assert.Equal(Page / 2, done.Read(page * Page + (Page / 2), new byte[Page / 2], ReadHint.DontNeed));
        }

        cache.OpenRun(2 << 20, 50 * Page).ReadAll();
        var reads = cache.Device.BlocksRead;
        kept.ReadAll();
        Assert.Equal(reads, cache.Device.BlocksRead);
        done.ReadAll();
        Assert.Equal(50, cache.Device.BlocksRead - reads);
    }

    [Fact]
    [Trait("Row", "D7")]
    public void Demoting_drops_nothing_and_leaves_alone_what_others_use()
    {
        using var cache = new TestCache(frames: 64);
        var file = cache.OpenRun(0, 20 * Page);
        file.ReadAll();
        file.ReadAll();
        var reader = cache.Clone(file);
        cache.Clone(file);
        reader.ReadAt(0, 8 * Page);
        var stranger = cache.OpenRun(10 * Page, 10 * Page);
        stranger.ReadAt(0, 2 * Page);
        stranger.ReadAt(0, 2 * Page);
        Assert.Equal(10, file.Demote(0, long.MaxValue));
        Assert.Equal(0, file.Demote(0, 20 * Page));
        var reads = cache.Device.BlocksRead;
        file.ReadAll();
        Assert.Equal(reads, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "D7")]
    public void Demoting_takes_whole_pages_of_the_range()
    {
        using var cache = new TestCache(frames: 64);
        var file = cache.OpenRun(0, 20 * Page);
        file.ReadAll();
        Assert.Equal(0, file.Demote(0, 0));
        Assert.Equal(2, file.Demote(1, 3 * Page));
        Assert.Equal(1, file.Demote(0, 2 * Page - 1));
        Assert.Equal(0, file.Demote(20 * Page, 1));

        // The last page of a file whose end lies in it is whole.
        var odd = cache.Open(new ListExtents(new Extent(0, 4 * Page, 1 << 20)), (3 * Page) + 100);
        odd.ReadAll();
        Assert.Equal(1, odd.Demote(3 * Page, 100));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Demote(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Demote(0, -1));
    }

    [Fact]
    [Trait("Row", "D7")]
    public void Dirty_pages_and_discarded_ones_are_not_demoted()
    {
        using var cache = new TestCache(frames: 64);
        var file = cache.OpenRun(0, 8 * Page);
        file.ReadAll();
        cache.Volume.Discard(new BlockRun(0, 4 * Page));
        Assert.Equal(4, file.Demote(0, 8 * Page));
    }

    [Theory]
    [Trait("Row", "D7")]
    [InlineData(ReadHint.Normal, 0)]
    [InlineData(ReadHint.Sequential, 8)]
    public void A_sequential_read_reads_ahead_from_the_first_fault_on(ReadHint hint, int ahead)
    {
        using var cache = new TestCache(frames: 128, readAhead: 8);
        var file = cache.OpenRun(0, 100 * Page);
        file.Read(50 * Page, new byte[Page], hint);
        Assert.Equal(ahead, cache.Figures.PagesReadAhead);
        Assert.Equal(ahead + 1, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "D7")]
    public async Task There_are_no_other_hints()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, 4 * Page);
        const ReadHint Unknown = (ReadHint)17;
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(0, new byte[1], Unknown));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.ReadAsync(0, new byte[1], Unknown));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PinAsync(0, Unknown));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PrefetchAsync(0, 1, Unknown));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.OpenStream(Unknown));
    }

    [Theory]
    [Trait("Row", "D7")]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_is_said_the_bytes_are_right(int seed)
    {
        var policy = (EvictionPolicy)(seed % 5);
        using var cache = new TestCache(frames: 48, policy: policy, readAhead: 4, weight: SharerWeight.Doublings);
        var origin = cache.OpenRun(0, 200 * Page);
        MappedFile[] files = [origin, cache.Clone(origin), cache.Clone(origin), cache.OpenRun(0, 200 * Page)];
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + worker);
            for (var step = 0; step < 3000; step++)
            {
                var (file, hint) = (files[random.Next(files.Length)], (ReadHint)random.Next(5));
                var at = random.Next(200) * Page;
                var bytes = new byte[random.Next(1, 6) * 1000];
                var expected = Math.Min(bytes.Length, (200 * Page) - at);
                switch (random.Next(5))
                {
                    case 0:
                        Assert.Equal(expected, file.Read(at, bytes, hint));
                        break;
                    case 1:
                        Assert.Equal(expected, await file.ReadAsync(at, bytes, hint));
                        break;
                    case 2:
                        using (var lease = await file.PinAsync(at, hint))
                        {
                            lease.Memory.Span[..8].CopyTo(bytes);
                        }

                        break;
                    case 3:
                        await file.PrefetchAsync(at, 8 * Page, hint);
                        continue;
                    default:
                        file.Demote(at, random.Next(20) * Page);
                        continue;
                }

                Assert.True(MemoryDevice.Word(at) == BitConverter.ToUInt64(bytes), $"seed {seed}, worker {worker}, step {step}: {hint} at {at}");
            }
        })));
        cache.Cache.Verify();
    }

    private static void Scan(MappedFile file, int pages, int pagesPerRead, ReadHint hint)
    {
        var bytes = new byte[pagesPerRead * Page];
        for (var page = 0; page < pages; page += pagesPerRead)
        {
            Assert.Equal(bytes.Length, file.Read((long)page * Page, bytes, hint));
        }
    }
}
