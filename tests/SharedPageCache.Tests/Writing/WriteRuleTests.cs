using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Small rules of writing and write-back that one thread can break, each on its own: what a mutant of the core has to be noticed by.</summary>
public class WriteRuleTests
{
    private const int Page = 4096;

    [Fact]
    public async Task A_device_that_does_not_flush_leaves_the_pages_dirty_and_gives_back_what_was_placed()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(4 * Page);
        file.Write(0, Bytes(1, 2 * Page));
        cache.Device.BeforeFlush = static () => throw new IOException("the disk does not flush.");
        var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
        Assert.Equal("flush", error.Step);
        Assert.Equal((2, 0, 0), (cache.Figures.DirtyBytes / Page, cache.Engine.Published.Count, cache.Engine.BlocksInUse));
        cache.Device.BeforeFlush = null;
        await file.FlushAsync();
        Assert.Equal(Bytes(1, 2 * Page), cache.DurableOf(file)[..(2 * Page)]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task What_a_device_does_not_take_at_once_is_written_afterwards(int pages)
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(5 * Page);
        file.Write(0, Bytes(3, 5 * Page));
        cache.Device.Accept = run => (int)Math.Min(run.Length, pages * Page);
        await file.FlushAsync();
        Assert.Equal(Bytes(3, 5 * Page), cache.DurableOf(file));
    }

    [Fact]
    public async Task An_engine_that_cannot_say_its_sequence_during_a_change_is_asked_for_its_extents_again()
    {
        for (var failing = 1; failing <= 12; failing++)
        {
            using var cache = new WriteCache();
            var file = cache.OpenNew(4 * Page);
            file.Write(0, Bytes(1, 4 * Page));
            await file.FlushAsync();
            var looks = 0;
            cache.Engine.TellsSequence = true;
            cache.Engine.Before = name =>
            {
                if (name == "Sequence" && ++looks == failing)
                {
                    throw new IOException("not now");
                }
            };
            file.SetLength(3 * Page);
            using var clone = file.Clone();
            cache.Engine.Before = null;

            Assert.Equal(Bytes(1, 3 * Page), Read(file, 0, 3 * Page));
            Assert.Equal(Bytes(1, 3 * Page), Read(clone, 0, 3 * Page));
            clone.Write(0, Bytes(2, Page));
            await clone.FlushAsync();
            Assert.Equal(Bytes(1, Page), Read(file, 0, Page));
            Assert.Equal(Bytes(2, Page), cache.DurableOf(clone)[..Page]);
        }
    }

    [Fact]
    public void The_background_writer_leaves_young_pages_alone()
    {
        var clock = new ManualClock();
        using var cache = new WriteCache(dirtyAge: TimeSpan.FromMilliseconds(20), configure: options => options.TimeProvider = clock);
        var file = cache.OpenNew(4 * Page);
        file.Write(0, Bytes(1, Page));
        var writer = cache.Cache.Engine.Rooms.Volumes.All()[0].Writer!;
        var rounds = writer.Begin();
        Bounded.Until(() => writer.Begin() > rounds + 3, "the background writer has gone its rounds");
        Assert.Equal((Page, 0), (cache.Figures.DirtyBytes, cache.Device.Writes));
        clock.Advance(TimeSpan.FromSeconds(1));
        Bounded.Until(() => cache.Figures.DirtyBytes == 0, "the page is old, and is written");
        Assert.Equal(Bytes(1, Page), Read(file, 0, Page));
    }

    [Fact]
    public async Task A_page_that_is_punched_while_it_is_written_is_nobodys_afterwards()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(4 * Page);
        file.Write(0, Bytes(1, Page));
        var (isWriting, goesOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        cache.Device.BeforeWrite = _ =>
        {
            isWriting.TrySetResult();
            return goesOn.Task;
        };
        var flush = file.FlushAsync().AsTask();
        await isWriting.Task.Within();
        await file.PunchHoleAsync(0, Page);
        goesOn.SetResult();
        await flush.Within();
        Assert.Equal((0, 0), (cache.Figures.DirtyBytes, cache.Engine.BlocksInUse));
        Assert.Equal(new byte[Page], Read(file, 0, Page));
    }

    [Fact]
    public async Task What_was_cut_after_the_file_has_grown_once_is_zero_on_the_device_before_it_grows_again()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(Page);
        for (var round = 1; round <= 2; round++)
        {
            file.Write(0, Bytes(round, Page));
            await file.FlushAsync();
            await file.SetLengthAsync(100);
            await file.FlushAsync();
            await file.SetLengthAsync(Page);

            // The engine commits by itself, and the machine stops.
            await cache.Engine.PersistAsync(CancellationToken.None);
            var durable = cache.DurableOf(file);
            Assert.Equal(Bytes(round, Page)[..100], durable[..100]);
            Assert.True(durable.AsSpan(100).IndexOfAnyExcept((byte)0) < 0, $"old bytes behind the old end in round {round}");
        }
    }

    [Fact]
    public async Task A_hole_up_to_the_end_of_a_file_takes_its_last_page_though_that_is_not_full()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(2 * Page + 100);
        file.Write(0, Bytes(1, 2 * Page + 100));
        await file.FlushAsync();
        await file.PunchHoleAsync(Page, Page + 100);
        Assert.Equal((0, 1), (cache.Figures.DirtyBytes, ((PageEngine.PageFile)file.Extents).Blocks.Count));
        Assert.Equal(new byte[Page + 100], Read(file, Page, Page + 100));
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(long.MaxValue - Page)]
    [InlineData(long.MaxValue - Page + 1)]
    public async Task A_flush_of_a_range_without_end_goes_to_the_end(long length)
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(4 * Page);
        file.Write(0, Bytes(1, 4 * Page));
        await file.FlushAsync(Page, length);
        Assert.Equal(Page, cache.Figures.DirtyBytes);
        Assert.Equal(Bytes(1, 4 * Page)[Page..], cache.DurableOf(file)[Page..]);
    }

    [Fact]
    public async Task A_clone_is_told_what_its_origin_was_not_told_and_both_once()
    {
        using var cache = new WriteCache(dirtyAge: TimeSpan.FromMilliseconds(10));
        var file = cache.OpenNew(2 * Page);
        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        file.Write(Page, Bytes(1, Page));
        Bounded.Until(() => cache.Figures.WritebackFailures > 0, "the background writer has failed");
        cache.Device.BeforeWrite = null;
        Bounded.Until(() => cache.Figures.DirtyBytes == 0, "the background writer has succeeded");
        var clone = cache.Own(file.Clone(new FileOpenOptions { Name = "clone" }));
        var told = await Assert.ThrowsAsync<CacheWritebackException>(async () => await clone.FlushAsync());
        Assert.Equal("clone", (told.InnerException as CacheWritebackException ?? told).FileName);
        await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
        await clone.FlushAsync();
        await file.FlushAsync();
        Assert.Equal(Bytes(1, Page), cache.DurableOf(clone)[Page..]);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(long.MaxValue - 5)]
    [InlineData((1L << 56) - 9)]
    public void A_write_that_reaches_beyond_the_longest_file_is_refused_with_the_numbers(long offset)
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(Page);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => file.Write(offset, new byte[10]));
        Assert.Equal(("offset", (object)offset), (error.ParamName, error.ActualValue));
        Assert.Equal((Page, 0), (file.Length, cache.Figures.DirtyBytes));
    }

    private sealed class ManualClock : TimeProvider
    {
        private long _now = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _now);

        public void Advance(TimeSpan time) => Interlocked.Add(ref _now, time.Ticks);
    }
}
