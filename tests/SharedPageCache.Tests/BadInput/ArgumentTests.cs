using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.BadInput;

/// <summary>Wrong arguments: the documented exception with the numbers that help, and nothing has changed.</summary>
public class ArgumentTests
{
    private const int Length = 16 * 4096;

    [Theory]
    [InlineData(0, "512")]
    [InlineData(-4096, "512")]
    [InlineData(511, "512")]
    [InlineData(513, "1024")]
    [InlineData(4097, "8192")]
    [InlineData(65537, "65536")]
    [InlineData(131072, "65536")]
    [InlineData(int.MaxValue, "65536")]
    [InlineData(int.MinValue, "512")]
    public void A_page_size_that_is_no_power_of_two_in_range_is_refused_and_a_right_one_named(int pageSize, string right)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new PageCache(new PageCacheOptions { PageSize = pageSize }));
        Assert.Equal("PageSize", error.ParamName);
        Assert.Contains($"{pageSize} is not, {right} would be", error.Message);
        Assert.Contains("from 512 to 65536", error.Message);
    }

    [Theory]
    [InlineData(0, 4096)]
    [InlineData(-1, 4096)]
    [InlineData(long.MinValue, 512)]
    [InlineData(4096, 4096)]
    [InlineData(20_000, 4096)]
    [InlineData(200_000, 65536)]
    public void A_capacity_too_small_to_work_is_refused_with_the_least_that_would_do(long capacity, int pageSize)
    {
        var options = new PageCacheOptions { CapacityBytes = capacity, PageSize = pageSize };
        var message = Assert.Throws<ArgumentOutOfRangeException>(() => new PageCache(options)).Message;
        Assert.Contains($"A capacity of {capacity} bytes is too small for pages of {pageSize} bytes", message);
        Assert.Throws<ArgumentOutOfRangeException>(options.Validate);

        // The number in the message is the truth: it works, and one byte less does not.
        var least = long.Parse(message.Split("at least ")[1].Split(' ')[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new PageCache(new PageCacheOptions { CapacityBytes = least - 1, PageSize = pageSize }));
        using var cache = new TestCache(capacity: least, pageSize: pageSize);
        Files.AssertSame(cache.Device.Copy(0, 1 << 20), cache.OpenRun(0, 1 << 20).ReadAll());
        Assert.Equal(4, cache.Figures.FrameCount);
    }

    [Fact]
    public void A_capacity_too_large_to_address_is_refused()
    {
        var message = Assert.Throws<ArgumentOutOfRangeException>(
            () => new PageCache(new PageCacheOptions { CapacityBytes = long.MaxValue, PageSize = 512 })).Message;
        Assert.Contains("can be addressed", message);
        Assert.Contains(long.MaxValue.ToString(), message);
    }

    [Fact]
    public void Other_options_out_of_range_are_refused()
    {
        Assert.Contains("0 (off) to 1024", Assert.Throws<ArgumentOutOfRangeException>(
            () => new PageCache(new PageCacheOptions { MaxReadAheadPages = -1 })).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new PageCache(new PageCacheOptions { MaxReadAheadPages = 1025 }));
        Assert.Contains("S3Fifo, Clock", Assert.Throws<ArgumentOutOfRangeException>(
            () => new PageCache(new PageCacheOptions { Policy = (EvictionPolicy)9 })).Message);
        Assert.Throws<ArgumentException>(() => new PageCache(new PageCacheOptions { Name = " " }));
        Assert.Throws<ArgumentNullException>(() => new PageCache(new PageCacheOptions { Name = null! }));
        Assert.Throws<ArgumentNullException>(() => new PageCache(null!));
    }

    [Fact]
    public void Options_are_copied()
    {
        var options = new PageCacheOptions { CapacityBytes = 1 << 20, Name = "mine", HugePages = false };
        using var cache = new PageCache(options);
        options.PageSize = 17;
        cache.Options.PageSize = 18;
        Assert.Equal((4096, "mine"), (cache.Options.PageSize, cache.Options.Name));
        cache.Verify();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-512)]
    [InlineData(256)]
    [InlineData(1000)]
    [InlineData(131072)]
    public void A_device_with_an_odd_block_size_is_refused(int blockSize)
    {
        using var cache = new TestCache();
        var message = Assert.Throws<ArgumentException>(() => cache.Cache.AttachVolume(new EndlessDevice(blockSize))).Message;
        Assert.Contains($"from 512 to 65536; {blockSize} is not", message);
        Assert.Throws<ArgumentNullException>(() => cache.Cache.AttachVolume(null!));
    }

    [Fact]
    public void Lengths_out_of_range_are_refused()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, Length, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Open(extents, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Open(extents, long.MinValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Open(extents, long.MaxValue));
        Assert.Throws<ArgumentNullException>(() => cache.Open(null!, 10));
        Assert.Equal((0, 0), (cache.Figures.OpenFiles, cache.Figures.LogicalBytes));
    }

    [Fact]
    public void An_id_that_is_open_with_another_length_is_refused_with_both()
    {
        using var cache = new TestCache();
        var id = new FileOpenOptions { Id = FileId.FromNumber(77) };
        cache.Open(new ListExtents(new Extent(0, Length, 0)), Length, id);
        var before = cache.Figures;
        var message = Assert.Throws<ArgumentException>(() => cache.Open(new ListExtents(new Extent(0, Length, 0)), 5000, id)).Message;
        Assert.Contains("#77", message);
        Assert.Contains("5000", message);
        Assert.Contains($"{Length}", message);
        Assert.Equal(before, cache.Figures);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public async Task Negative_offsets_and_lengths_are_refused(long negative)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var before = cache.Figures;
        var buffer = Canary.Buffer(100);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(negative, buffer));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.TryRead(negative, buffer, out _));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.ReadAsync(negative, buffer));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.TryPin(negative, out _));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PinAsync(negative));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PinRangeAsync(negative, 1));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PinRangeAsync(0, negative));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PrefetchAsync(negative, 1));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PrefetchAsync(0, negative));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.InvalidateExtents(negative, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.InvalidateExtents(0, negative));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.OpenPipeReader(negative));
        Canary.AssertUntouched(buffer);
        Assert.Equal(before, cache.Figures);
        Assert.Empty(cache.Device.Requests);
    }

    [Theory]
    [InlineData(Length)]
    [InlineData(Length + 1)]
    [InlineData(long.MaxValue)]
    public async Task Leases_behind_the_end_are_refused_with_the_length(long offset)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        Assert.Contains($"{offset} is not inside the file, which has {Length} bytes",
            Assert.Throws<ArgumentOutOfRangeException>(() => file.TryPin(offset, out _)).Message);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PinAsync(offset));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PinRangeAsync(offset, 10));
    }

    [Theory]
    [InlineData(-4096, 4096)]
    [InlineData(0, 0)]
    [InlineData(0, -4096)]
    [InlineData(4096, long.MaxValue)]
    [InlineData(long.MaxValue - 4095, 4096)]
    [InlineData(100, 4096)]
    [InlineData(4096, 100)]
    [InlineData(-1, 0)]
    public void Runs_that_are_negative_empty_unaligned_or_overflow_are_refused(long offset, long length)
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        var before = cache.Figures;
        var (bad, good) = (new BlockRun(offset, length), new BlockRun(1 << 20, 4096));
        var message = Assert.Throws<ArgumentException>(() => cache.Volume.Discard(bad)).Message;
        Assert.Contains($"{offset}", message);
        Assert.Contains($"{length}", message);
        Assert.Contains("4096", message);
        Assert.Equal("from", Assert.Throws<ArgumentException>(() => cache.Volume.Relocate(bad, good)).ParamName);
        Assert.Equal("to", Assert.Throws<ArgumentException>(() => cache.Volume.Relocate(good, bad)).ParamName);
        Assert.Throws<ArgumentException>(() => cache.Volume.FindReferences(bad));
        Assert.Equal(before, cache.Figures);
    }

    [Fact]
    public void Runs_that_differ_in_length_or_overlap_cannot_be_moved_onto_each_other()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        file.ReadAll();
        var message = Assert.Throws<ArgumentException>(
            () => cache.Volume.Relocate(new BlockRun(0, 8192), new BlockRun(65536, 4096))).Message;
        Assert.Contains("[0, 8192)", message);
        Assert.Contains("[65536, 69632)", message);
        Assert.Throws<ArgumentException>(() => cache.Volume.Relocate(new BlockRun(0, 8192), new BlockRun(4096, 8192)));
        Assert.True(file.TryRead(0, new byte[Length], out _));
    }

    [Fact]
    public void Runs_far_behind_any_device_hit_no_block_of_another_volume()
    {
        using var cache = new TestCache(pageSize: 512, blockSize: 512);
        using var volume = cache.Cache.AttachVolume(new EndlessDevice(512));
        using var neighbour = volume.OpenFile(new ListExtents(new Extent(0, 4096, 0)), 4096);
        neighbour.ReadAll();
        var file = cache.OpenRun(0, 4096);
        file.ReadAll();

        // Block numbers have 48 bits in an identity: what lies behind must not wrap into the next volume's blocks.
        const long Behind = 1L << (48 + 9);
        cache.Volume.Discard(new BlockRun(Behind, 4096));
        Assert.True(neighbour.IsResident(0));
        Assert.True(file.IsResident(0));
        Assert.Empty(cache.Volume.FindReferences(new BlockRun(Behind, 4096)));
        cache.Volume.Relocate(new BlockRun(Behind, 4096), new BlockRun(Behind * 2, 4096));
        Assert.True(neighbour.IsResident(0));
        Assert.True(file.IsResident(0));
    }

    [Fact]
    public void A_volume_that_is_written_has_no_blocks_larger_than_a_page()
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1 << 20, PageSize = 512 });
        var error = Assert.Throws<ArgumentException>(() => cache.AttachVolume(
            new MemoryDevice(1 << 20, 4096), new VolumeOptions { Placement = new Writing.PageEngine(64, 4096) }));
        Assert.Equal("device", error.ParamName);
        Assert.Contains("4096 > 512", error.Message, StringComparison.Ordinal);
        cache.Verify();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(86_400_001)]
    public void Dirty_pages_grow_no_older_than_a_day_and_no_younger_than_ten_milliseconds(long milliseconds)
    {
        var age = TimeSpan.FromMilliseconds(milliseconds);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new PageCache(new PageCacheOptions { DirtyAge = age }));
        Assert.Equal((nameof(PageCacheOptions.DirtyAge), age), (error.ParamName, error.ActualValue));
    }

    [Fact]
    public async Task Who_has_cancelled_reads_nothing_with_a_hint_either()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => file.ReadAsync(0, new byte[8], ReadHint.Sequential, new CancellationToken(canceled: true)).AsTask());
        Assert.Equal(0, cache.Device.Reads);
    }
}
