using SharedPageCache.Tests.Support;
using SharedPageCache.Writeback;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Dirty targets: where write-back begins, where writers are slowed, where they stop; of one volume and of several. By counts, not by time.</summary>
public sealed class PacingTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "D5")]
    public async Task Between_throttle_and_limit_a_writer_waits_for_its_share_of_what_is_written_back()
    {
        using var stage = new Stage();
        await stage.WriteAsync(11);
        Assert.Equal(0, stage.Cache.Figures.WritesThrottled);

        // Pages 9 to 12 cost one to four eighths of a page each: the first whole one is due.
        var slowed = stage.File.WriteAsync(11 * Page, Bytes(11, Page)).AsTask();
        Assert.Equal(1, stage.Cache.Figures.WritesThrottled);
        Assert.Equal(Bytes(11, Page), Read(stage.File, 11 * Page, Page));
        var other = stage.File.WriteAsync(12 * Page, Bytes(12, Page)).AsTask();
        Assert.False(slowed.IsCompleted || other.IsCompleted);
        stage.LetGo();
        await Task.WhenAll(slowed, other).Within();
        Assert.InRange(stage.Cache.Figures.WritesThrottled, 2, 3);
        await stage.File.FlushAsync().Within();
        Assert.Equal(0, stage.Cache.Figures.DirtyBytes);
    }

    [Fact]
    [Trait("Row", "D5")]
    public async Task A_slowed_writer_holds_nothing_and_its_write_is_done_even_if_it_is_cancelled()
    {
        using var stage = new Stage();
        await stage.WriteAsync(11);
        using var source = new CancellationTokenSource();
        var slowed = stage.File.WriteAsync(11 * Page, Bytes(11, Page), cancellationToken: source.Token).AsTask();
        Assert.False(slowed.IsCompleted);
        await stage.File.WriteAsync((11 * Page) + 5, new byte[] { 1, 2 }).AsTask().Within();
        using var clone = stage.File.Clone();
        source.Cancel();
        await slowed.Within();
        Assert.Equal(Bytes(11, 5), Read(clone, 11 * Page, 5));
        stage.LetGo();
    }

    [Fact]
    [Trait("Row", "D5")]
    [Trait("Row", "H4")]
    public async Task A_commit_is_slowed_when_its_lease_has_ended()
    {
        using var stage = new Stage();
        await stage.WriteAsync(11);
        var lease = await stage.File.LeaseForWriteAsync(11 * Page, discardContent: true);
        lease.Span.Fill(5);
        var slowed = lease.CommitAsync().AsTask();
        Assert.False(slowed.IsCompleted);
        Assert.True(lease.IsCommitted);
        Assert.Equal(0, stage.Cache.Figures.LeasedFrames);
        await stage.File.WriteAsync(11 * Page, new byte[] { 9 }).AsTask().Within();
        stage.LetGo();
        await slowed.Within();
    }

    [Fact]
    [Trait("Row", "D5")]
    [Trait("Contract", "C9")]
    public async Task A_failing_device_stops_writers_at_the_limit_and_not_at_the_throttle()
    {
        using var stage = new Stage();
        stage.LetGo();
        stage.Cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        await stage.WriteAsync(16);
        Assert.Equal(16 * Page, stage.Cache.Figures.DirtyBytes);
        Assert.True(stage.Cache.Figures.WritesThrottled > 0);
        await Assert.ThrowsAsync<CacheWritebackException>(() => stage.File.WriteAsync(16 * Page, new byte[Page]).AsTask().Within());
        stage.Cache.Device.BeforeWrite = null;
        await Assert.ThrowsAsync<CacheWritebackException>(async () => await stage.File.FlushAsync());
        await stage.File.FlushAsync();
    }

    [Fact]
    [Trait("Row", "D5")]
    [Trait("Contract", "C9")]
    public async Task The_limit_is_for_all_volumes_together_and_none_stops_another()
    {
        using var stage = new Stage();
        stage.LetGo();
        using var second = stage.Cache.AttachSecond(out var file);
        stage.Cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        await stage.WriteAsync(16);

        // The first volume has all that there is, for good; the second goes on with its share.
        var most = 0L;
        for (var page = 0; page < 32; page++)
        {
            await file.WriteAsync(page * Page, Bytes(page, Page)).AsTask().Within();
            most = Math.Max(most, stage.Cache.Figures.DirtyBytes / Page);
        }

        Assert.InRange(most, 17, 16 + 2);
        Assert.Equal(Bytes(31, Page), Read(file, 31 * Page, Page));
        await second.DisposeAsync();
        stage.Cache.Device.BeforeWrite = null;
        await Assert.ThrowsAsync<CacheWritebackException>(async () => await stage.File.FlushAsync());
        await stage.File.FlushAsync();
        Assert.Equal(0, stage.Cache.Cache.Engine.Rooms.Dirty.Pages);
    }

    /// <summary>One write at a time waits with frames in its hands, whatever its volume: but not while it waits for a device to take dirty pages.</summary>
    [Theory]
    [Trait("Row", "D5")]
    [Trait("Contract", "C9")]
    [InlineData("write")]
    [InlineData("range clone")]
    public async Task What_waits_for_an_engine_that_does_not_answer_stops_no_write_of_several_pages_elsewhere(string what)
    {
        using var stage = new Stage(static options => options.DirtyThrottleBytes = 16 * Page);
        using var second = stage.Cache.AttachSecond(out var file);
        await stage.WriteAsync(16);
        using var patience = new CancellationTokenSource();
        var stuck = what == "write"
            ? stage.File.WriteAsync(20 * Page, Bytes(1, 4 * Page), cancellationToken: patience.Token).AsTask()
            : stage.File.CloneRangeAsync(stage.Cache.OpenMapped(4), 100, (20 * Page) + 100, 2 * Page, patience.Token).AsTask();
        for (var page = 0; page < 32; page += 4)
        {
            await file.WriteAsync(page * Page, Bytes(page, 4 * Page)).AsTask().Within();
            await file.CloneRangeAsync(file, (page * Page) + 100, (page + 4) % 32 * Page + 100, 2 * Page).AsTask().Within();
        }

        Assert.False(stuck.IsCompleted);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stuck.Within());
        stage.LetGo();
        await second.DisposeAsync();
    }

    [Fact]
    [Trait("Row", "D5")]
    public async Task What_a_detached_volume_had_dirty_counts_no_more()
    {
        using var stage = new Stage();
        using var second = stage.Cache.AttachSecond(out var file);
        await file.WriteAsync(0, Bytes(1, 10 * Page));
        second.Dispose();
        Assert.Equal((0, 1), (stage.Cache.Cache.Engine.Rooms.Dirty.Pages, stage.Cache.Cache.Engine.Rooms.Dirty.Volumes));
        await stage.WriteAsync(11);
        Assert.Equal(0, stage.Cache.Figures.WritesThrottled);
        stage.LetGo();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Row", "D5")]
    public async Task Old_pages_slow_and_stop_writers_too(bool isLimit)
    {
        var clock = new ManualClock();
        using var stage = new Stage(options =>
        {
            options.TimeProvider = clock;
            (options.DirtyThrottleAge, options.DirtyLimitAge) = (TimeSpan.FromHours(2), TimeSpan.FromHours(4));
        });
        await stage.WriteAsync(6);
        clock.Advance(TimeSpan.FromHours(isLimit ? 5 : 4));
        var waiting = stage.File.WriteAsync(7 * Page, Bytes(7, Page)).AsTask();
        Assert.False(waiting.IsCompleted);
        Assert.Equal(isLimit ? new byte[Page] : Bytes(7, Page), Read(stage.File, 7 * Page, Page));
        stage.LetGo();
        await waiting.Within();
        Assert.Equal(Bytes(7, Page), Read(stage.File, 7 * Page, Page));
    }

    [Fact]
    [Trait("Row", "D5")]
    public void Prices_add_up_and_unused_credit_lapses()
    {
        var pace = new WriterPace(mostCredit: 10);
        Assert.Equal(0, pace.Charge(5, 0, settled: 100));
        Assert.Equal(100, pace.Charge(1, 512, settled: 100));
        Assert.Equal(101, pace.Charge(1, 512, settled: 100));
        Assert.Equal(105, pace.Charge(4, WriterPace.Full, settled: 103));

        // 45 pages too many were written back: ten of them are kept.
        Assert.Equal(141, pace.Charge(1, WriterPace.Full, settled: 150));
        Assert.Equal(0, pace.Charge(1, 0, settled: 160));
        Assert.Equal(161, pace.Charge(1, WriterPace.Full, settled: 160));
    }

    [Theory]
    [InlineData("DirtyLimitBytes", 0L, null, null)]
    [InlineData("DirtyLimitBytes", 31L * Page, null, null)]
    [InlineData("DirtyThrottleBytes", 16L * Page, 17L * Page, null)]
    [InlineData("DirtyThrottleBytes", null, 100L, null)]
    [InlineData("DirtyStartBytes", 16L * Page, 8L * Page, 9L * Page)]
    [InlineData("DirtyStartBytes", null, null, 25L * Page)]
    [Trait("Row", "D5")]
    public void Targets_in_the_wrong_order_are_refused_with_the_numbers(string name, long? limit, long? throttle, long? start)
    {
        var options = new PageCacheOptions
        {
            ExactFrameCount = 64, DirtyLimitBytes = limit, DirtyThrottleBytes = throttle, DirtyStartBytes = start,
        };
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new PageCache(options));
        Assert.Equal(name, error.ParamName);
        Assert.Contains("bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Row", "D5")]
    public void Ages_in_the_wrong_order_are_refused()
    {
        var (short_, long_) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(40));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PageCacheOptions { DirtyThrottleAge = short_ }.Validate());
        Assert.Throws<ArgumentOutOfRangeException>(() => new PageCacheOptions { DirtyLimitAge = short_ }.Validate());
        Assert.Throws<ArgumentOutOfRangeException>(() => new PageCacheOptions { DirtyThrottleAge = long_, DirtyLimitAge = long_ / 1.1 }.Validate());
        new PageCacheOptions { DirtyThrottleAge = long_, DirtyLimitAge = long_ }.Validate();
        new PageCacheOptions { DirtyThrottleBytes = 1 << 20, DirtyLimitBytes = 1 << 20, DirtyStartBytes = 1 << 20 }.Validate();
    }

    /// <summary>A clock that stands still.</summary>
    private sealed class ManualClock : TimeProvider
    {
        private long _now = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _now);

        public void Advance(TimeSpan time) => Interlocked.Add(ref _now, time.Ticks);
    }

    /// <summary>A cache with targets of 2, 8 and 16 pages, whose engine does not answer before it is let go.</summary>
    private sealed class Stage : IDisposable
    {
        private readonly TaskCompletionSource _isAsked = new();

        private readonly TaskCompletionSource _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Stage(Action<PageCacheOptions>? configure = null)
        {
            Cache = new WriteCache(configure: options =>
            {
                (options.DirtyStartBytes, options.DirtyThrottleBytes, options.DirtyLimitBytes) = (2 * Page, 8 * Page, 16 * Page);
                configure?.Invoke(options);
            });
            Cache.Engine.DuringPlace = () =>
            {
                _isAsked.TrySetResult();
                return _answer.Task;
            };
            File = Cache.OpenNew(40 * Page);
        }

        public WriteCache Cache { get; }

        public MappedFile File { get; }

        /// <summary>Writes pages, each once. The first ones are frozen when the others are written, which so stay as they are.</summary>
        public async Task WriteAsync(int pages)
        {
            for (var page = 0; page < pages; page++)
            {
                await File.WriteAsync(page * Page, Bytes(page, Page)).AsTask().Within();
                if (page == 2)
                {
                    await _isAsked.Task.Within();
                }
            }
        }

        public void LetGo() => _answer.TrySetResult();

        public void Dispose()
        {
            // No batch is under way when the cache goes.
            LetGo();
            Cache.Volume.FlushAsync().AsTask().Wait();
            Cache.Dispose();
        }
    }
}
