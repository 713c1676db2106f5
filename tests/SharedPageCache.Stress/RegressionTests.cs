using SharedPageCache.Frames;
using SharedPageCache.Stress.Storms;
using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress;

/// <summary>What the storms once found, as short stories without chance.</summary>
public sealed class RegressionTests
{
    private const int Page = 4096;

    private readonly PlainDevice _device = new(Page, 4096);
    private readonly PageCache _cache;
    private readonly CachedVolume _volume;

    public RegressionTests()
    {
        _cache = new PageCache(new PageCacheOptions { PageSize = Page, ExactFrameCount = 64 });
        _volume = _cache.AttachVolume(_device);
    }

    /// <summary>The window was in no tree yet: what the changed file learns must not go into the shared node.</summary>
    [Fact]
    public void The_new_extents_of_one_file_are_not_shown_by_its_clone()
    {
        var map = new PlainMap(Run(0, 10, 4));
        using var file = _volume.OpenFile(map, 4 * Page);
        using var clone = file.Clone();
        map.Change(Run(0, 20, 4));
        map.AssertReads(_device, file);
        file.InvalidateExtents(0, file.Length);
        ((PlainMap)clone.Extents).AssertReads(_device, clone);
        map.AssertReads(_device, file);
        _cache.Verify();
    }

    /// <summary>The engine's clone hook gives the new extents, the tree still shows the old ones.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_clone_made_while_extents_change_shows_what_its_engine_says(bool wasHole)
    {
        var map = new PlainMap(wasHole ? Extent.Hole(0, 4 * Page) : Run(0, 10, 4));
        using var file = _volume.OpenFile(map, 4 * Page);
        map.AssertReads(_device, file);
        map.Change(Run(0, 20, 4));
        using var clone = file.Clone();
        file.InvalidateExtents(0, file.Length);
        ((PlainMap)clone.Extents).AssertReads(_device, clone);
        using var later = file.Clone();
        ((PlainMap)later.Extents).AssertReads(_device, later);
        _cache.Verify();
    }

    /// <summary>A clone of a settled file takes over what is in memory, also after earlier changes.</summary>
    [Fact]
    public void A_clone_of_an_invalidated_file_is_warm()
    {
        var map = new PlainMap(Run(0, 10, 4));
        using var file = _volume.OpenFile(map, 4 * Page);
        using var before = file.Clone();
        map.Change(Run(0, 20, 4));
        file.InvalidateExtents(0, file.Length);
        map.AssertReads(_device, file);
        using var clone = file.Clone();
        Assert.True(clone.TryRead(0, new byte[4 * Page], out _));
    }

    /// <summary>An opaque page that is loaded through a file in change belongs to that file alone.</summary>
    [Fact]
    public void The_new_bytes_of_an_opaque_page_are_not_shown_by_a_clone()
    {
        var map = new PlainMap(Run(0, 10, 1), new Extent(Page, Page, 0, ExtentFlags.Opaque));
        using var file = _volume.OpenFile(map, 2 * Page);
        using var clone = file.Clone();
        var cloneMap = (PlainMap)clone.Extents;

        // The leaf is in the tree that both share; its opaque page was not loaded yet.
        cloneMap.AssertReads(_device, clone, 0, Page);
        map.Change(map.Extents);
        map.OpaqueSerial++;
        map.AssertReads(_device, file);
        file.InvalidateExtents(0, 2 * Page);
        cloneMap.AssertReads(_device, clone);
        map.AssertReads(_device, file);
    }

    /// <summary>A clone that joins a load of its origin does not get what the origin's bytes became meanwhile.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_load_of_an_opaque_page_that_is_overtaken_by_a_change_serves_no_clone(bool changesBeforeTheLoad)
    {
        var map = new PlainMap(Run(0, 10, 1), new Extent(Page, Page, 0, ExtentFlags.Opaque));
        using var file = _volume.OpenFile(map, 2 * Page);
        using var clone = file.Clone();
        var cloneMap = (PlainMap)clone.Extents;
        cloneMap.AssertReads(_device, clone, 0, Page);
        var (arrived, opened) = CloseGate();
        if (changesBeforeTheLoad)
        {
            map.Change(map.Extents);
        }

        var (bytes, cloneBytes) = (new byte[Page], new byte[Page]);
        var load = file.ReadAsync(Page, bytes).AsTask();
        await arrived.WaitAsync(TimeSpan.FromSeconds(30));
        var joined = clone.ReadAsync(Page, cloneBytes).AsTask();
        if (!changesBeforeTheLoad)
        {
            map.Change(map.Extents);
        }

        map.OpaqueSerial++;
        opened.SetResult();
        await Task.WhenAll(load, joined).WaitAsync(TimeSpan.FromSeconds(30));
        cloneMap.AssertContent(_device, Page, cloneBytes);
        file.InvalidateExtents(0, 2 * Page);
        cloneMap.AssertReads(_device, clone);
        map.AssertReads(_device, file);
        _cache.Verify();
    }

    /// <summary>
    /// Bytes that are read through a file are nothing any more once they have an address: a load that is overtaken by this
    /// serves nobody, its own file neither.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Opaque_bytes_that_were_given_blocks_while_they_were_read_are_not_believed(bool isFull)
    {
        var map = new PlainMap(Run(0, 10, 1), new Extent(Page, Page, 0, ExtentFlags.Opaque));
        using var file = _volume.OpenFile(map, 2 * Page);
        map.AssertReads(_device, file, 0, Page);
        var bytes = new byte[Page];
        using (var leases = isFull ? new PinnedFrames(_cache) : null)
        {
            var (arrived, opened) = CloseGate();
            var reading = file.ReadAsync(Page, bytes).AsTask();
            await arrived.WaitAsync(TimeSpan.FromSeconds(30));
            map.Change(Run(0, 10, 1), Run(1, 20, 1));
            map.OpaqueSerial++;
            opened.SetResult();
            Assert.Equal(Page, await reading.WaitAsync(TimeSpan.FromSeconds(30)));
        }

        map.AssertContent(_device, Page, bytes);
        file.InvalidateExtents(Page, Page);
        map.AssertReads(_device, file);
        _cache.Verify();
    }

    /// <summary>Nobody tells the cache of changes of a file that is closed: what it reads until it is gone ends in order.</summary>
    [Fact]
    public async Task Opaque_bytes_that_were_given_blocks_while_their_file_was_closed_are_not_believed()
    {
        var map = new PlainMap(Run(0, 10, 1), new Extent(Page, Page, 0, ExtentFlags.Opaque));
        using var file = _volume.OpenFile(map, 2 * Page);
        map.AssertReads(_device, file, 0, Page);
        var (arrived, opened) = CloseGate();
        var reading = file.ReadAsync(Page, new byte[Page]).AsTask();
        await arrived.WaitAsync(TimeSpan.FromSeconds(30));
        file.Dispose();
        map.Change(Run(0, 10, 1), Run(1, 20, 1));
        opened.SetResult();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => reading.WaitAsync(TimeSpan.FromSeconds(30)));
        _cache.Verify();
    }

    [Fact]
    public void A_load_does_not_gather_a_neighbour_whose_block_was_discarded()
    {
        var map = new PlainMap(Run(0, 10, 4));
        using var file = _volume.OpenFile(map, 4 * Page);
        map.AssertReads(_device, file, 0, 1);
        _volume.Discard(BlocksOf(10, 1));
        _device.Renew(12);
        _volume.Discard(BlocksOf(12, 1));
        map.AssertReads(_device, file);
    }

    [Fact]
    public void Discards_next_door_do_not_starve_a_reader()
    {
        var map = new PlainMap(Run(0, 10, 4));
        map.OnAsk = () => _volume.Discard(BlocksOf(100, 1));
        using var file = _volume.OpenFile(map, 4 * Page);
        map.AssertReads(_device, file);
    }

    [Fact]
    public void Blocks_that_are_discarded_whenever_their_extents_are_asked_for_fail_the_read_in_the_end()
    {
        var map = new PlainMap(Run(0, 10, 4));
        var discards = 60;
        map.OnAsk = () =>
        {
            if (discards-- > 0)
            {
                _volume.Discard(BlocksOf(11, 1));
            }
        };
        using var file = _volume.OpenFile(map, 4 * Page);
        map.AssertReads(_device, file);
        discards = int.MaxValue;
        _volume.Discard(BlocksOf(11, 1));
        Assert.Throws<ExtentMapException>(() => file.Read(Page, new byte[Page]));
        discards = 0;
        map.AssertReads(_device, file);
        _cache.Verify();
    }

    [Fact]
    public async Task Verify_holds_while_a_discarded_page_is_leased()
    {
        var map = new PlainMap(Run(0, 10, 4));
        using var file = _volume.OpenFile(map, 4 * Page);
        using (var lease = await file.PinAsync(0))
        {
            _volume.Discard(BlocksOf(10, 4));
            _cache.Verify();
            map.AssertContent(_device, 0, lease.Memory.Span);
        }

        _cache.Verify();
        Assert.Equal(0, _cache.GetStatistics().ResidentBytes);
    }

    /// <summary>Frames whose generations are used up come back although no leaf is made any more.</summary>
    [Theory]
    [InlineData(EvictionPolicy.Clock)]
    [InlineData(EvictionPolicy.S3Fifo)]
    public async Task Frames_are_renewed_when_all_generations_are_used_up(EvictionPolicy policy)
    {
        using var cache = new PageCache(new PageCacheOptions
        {
            PageSize = Page, Policy = policy, ExactFrameCount = 16, MaxReadAheadPages = 0, FirstGeneration = FrameState.LastGeneration - 5,
        });
        using var volume = cache.AttachVolume(_device);
        var map = new PlainMap(Run(0, 0, 200));
        using var file = volume.OpenFile(map, 200 * Page);
        for (var round = 0; round < 20; round++)
        {
            map.AssertReads(_device, file);
            cache.Verify();
        }

        var around = cache.GetStatistics().ReadsAround;
        map.AssertReads(_device, file);
        Assert.True(cache.GetStatistics().ReadsAround - around < 100, $"{cache.GetStatistics().ReadsAround - around} of 200 pages were read around: {Words.OfFrames(cache)}");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var lease = await file.PinAsync(0, patience.Token);
        map.AssertContent(_device, 0, lease.Memory.Span);
    }

    /// <summary>Asynchronous reads of the device wait; the first tells that it does.</summary>
    private (Task Arrived, TaskCompletionSource Opened) CloseGate()
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Gate = () =>
        {
            arrived.TrySetResult();
            return opened.Task;
        };
        return (arrived.Task, opened);
    }

    private static Extent Run(int page, int block, int count) => new((long)page * Page, (long)count * Page, (long)block * Page);

    private static BlockRun BlocksOf(int block, int count) => new((long)block * Page, (long)count * Page);

    /// <summary>Pins on all frames: reads go around the cache.</summary>
    private sealed class PinnedFrames : IDisposable
    {
        private readonly FrameTable _frames;

        public PinnedFrames(PageCache cache)
        {
            _frames = cache.Engine.Rooms.Frames;
            for (var frame = 0; frame < _frames.Count; frame++)
            {
                _frames.Pin(frame);
            }
        }

        public void Dispose()
        {
            for (var frame = 0; frame < _frames.Count; frame++)
            {
                _frames.Unpin(frame);
            }
        }
    }
}
