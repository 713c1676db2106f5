using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Hits;

/// <summary>Reads that race with eviction, discard and reload: never torn, never foreign, never old, and nothing left behind.</summary>
public class PageAtomicityTests
{
    private const int Blocks = 48;
    private const int PageSize = 512;

    [Theory]
    [Trait("Contract", "C3")]
    [Trait("Contract", "C10")]
    [Trait("Row", "H2")]
    [Trait("Row", "L15")]
    [InlineData(EvictionPolicy.S3Fifo, 5)]
    [InlineData(EvictionPolicy.Clock, 16)]
    public async Task Reads_inside_a_page_race_evictions_and_reloads_and_are_whole(EvictionPolicy policy, int frames)
    {
        var seed = Random.Shared.Next();
        var device = new VersionedDevice(Blocks);
        using var cache = new PageCache(new PageCacheOptions { PageSize = PageSize, Policy = policy, ExactFrameCount = frames, HugePages = false });
        using var volume = cache.AttachVolume(device);
        using var file = volume.OpenFile(new ListExtents(new Extent(0, Blocks * PageSize, 0)), Blocks * PageSize);
        using var clone = file.Clone();
        using var shifted = volume.OpenFile(new ListExtents(new Extent(PageSize, Blocks * PageSize, 0)), (Blocks + 1) * PageSize);
        var writer = Task.Run(() =>
        {
            var random = new Random(seed);
            for (var i = 0; i < 3000; i++)
            {
                var block = random.Next(Blocks);
                device.Advance(block);
                volume.Discard(new BlockRun(block * PageSize, PageSize));
            }
        });
        var readers = Enumerable.Range(1, 2).Select(number => Task.Run(async () =>
        {
            var random = new Random(seed + number);
            var buffer = new byte[PageSize];
            for (var i = 0; i < 8000; i++)
            {
                var block = random.Next(Blocks);
                var (source, offset) = random.Next(3) switch
                {
                    0 => (file, block * PageSize),
                    1 => (clone, block * PageSize),
                    _ => (shifted, (block + 1) * PageSize),
                };
                var oldest = device.VersionOf(block) - 1;
                Array.Fill(buffer, Canary.Value);
                switch (random.Next(4))
                {
                    case 0:
                        Assert.Equal(PageSize, source.Read(offset, buffer));
                        break;
                    case 1:
                        Assert.Equal(PageSize, await source.ReadAsync(offset, buffer));
                        break;
                    case 2 when source.TryPin(offset, out var lease):
                        lease.Span.CopyTo(buffer);
                        lease.Dispose();
                        break;
                    default:
                        if (!source.TryRead(offset, buffer, out _))
                        {
                            Canary.AssertNothingForeign(buffer);
                            continue;
                        }

                        break;
                }

                // The version before the newest may still be shown: the discard of the newest may not have begun.
                Assert.True(device.Check(buffer, block) >= oldest, $"an old version; seed {seed}");
            }
        })).ToArray();
        await Task.WhenAll([writer, .. readers]).Within();
        for (var block = 0; block < Blocks; block++)
        {
            Assert.Equal(device.VersionOf(block), device.Check(file.ReadAt(block * PageSize, PageSize), block));
        }

        cache.Verify();
        Assert.True(cache.GetStatistics().Evictions > 0);
    }

    [Fact]
    [Trait("Contract", "C3")]
    public void A_read_of_several_pages_is_a_series_of_reads_of_one_page()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, 65536);
        file.ReadAll();
        cache.Device.StampBlock(1, version: 1);
        cache.Volume.Discard(new BlockRun(4096, 4096));
        Files.AssertSame(cache.Device.Copy(0, 65536), file.ReadAll());
    }
}
