using System.Buffers;
using System.IO.Pipelines;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Faces;

/// <summary>A mapped file as a pipe that hands out the cache's own pages.</summary>
public class PipeReaderTests
{
    private const int Length = (40 * 4096) + 123;

    [Theory]
    [Trait("Row", "J4")]
    [InlineData(64)]
    [InlineData(8)]
    [InlineData(3)]
    public async Task A_reader_that_consumes_everything_sees_the_whole_file(int frames)
    {
        using var cache = new TestCache(frames: frames);
        var reader = Open(cache).OpenPipeReader(10);
        var all = new List<byte>();
        while (true)
        {
            var result = await reader.ReadAsync().Within();
            all.AddRange(result.Buffer.ToArray());
            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                break;
            }
        }

        await reader.CompleteAsync();
        Files.AssertSame(cache.Device.Copy(10, Length - 10), all.ToArray());
        Assert.InRange(cache.Figures.LeasedFrames, 0, cache.Figures.LeaseLimit);
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task A_reader_that_consumes_a_part_sees_the_rest_again_and_more()
    {
        using var cache = new TestCache();
        var reader = Open(cache).OpenPipeReader();
        var expected = cache.Device.Copy(0, Length);
        long consumed = 0;
        var random = new Random(3);
        while (true)
        {
            var result = await reader.ReadAsync().Within();
            Files.AssertSame(expected.AsSpan((int)consumed, (int)result.Buffer.Length), result.Buffer.ToArray());
            if (result.IsCompleted && consumed + result.Buffer.Length == Length && result.Buffer.Length < 100)
            {
                break;
            }

            var step = Math.Min(random.Next(1, 9000), result.Buffer.Length);
            var position = result.Buffer.GetPosition(step);
            reader.AdvanceTo(position, random.Next(2) == 0 ? position : result.Buffer.GetPosition(Math.Min(step + 5000, result.Buffer.Length)));
            consumed += step;
        }

        await reader.CompleteAsync();
        Assert.True(consumed > Length - 100);
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task A_reader_that_examines_everything_and_consumes_nothing_gets_more_each_time()
    {
        using var cache = new TestCache();
        var reader = Open(cache).OpenPipeReader();
        var last = 0L;
        for (var i = 0; i < 5; i++)
        {
            var result = await reader.ReadAsync().Within();
            Assert.True(result.Buffer.Length > last);
            last = result.Buffer.Length;
            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }

        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C9")]
    public async Task A_reader_that_keeps_more_than_leases_may_hold_is_told_so()
    {
        using var cache = new TestCache(frames: 16);
        var reader = Open(cache).OpenPipeReader();
        var error = await Assert.ThrowsAsync<CacheCapacityException>(async () =>
        {
            for (var i = 0; i < 10; i++)
            {
                var result = await reader.ReadAsync().Within();
                reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            }
        });
        Assert.Contains("6 frames", error.Message);
        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C9")]
    public async Task A_reader_does_not_wait_for_pages_that_it_holds_itself()
    {
        using var cache = new TestCache(frames: 16);
        var reader = Open(cache).OpenPipeReader();
        var seen = 0L;
        while (true)
        {
            // Half of what was seen is kept back each time, and all of it was examined.
            var result = await reader.ReadAsync().Within();
            seen = Math.Max(seen, result.Buffer.Length);
            if (result.IsCompleted)
            {
                break;
            }

            reader.AdvanceTo(result.Buffer.GetPosition((result.Buffer.Length / 2) + 1), result.Buffer.End);
        }

        await reader.CompleteAsync();
        Assert.InRange(seen, 4 * 4096, 6 * 4096);
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C9")]
    public async Task Two_readers_that_hold_pages_and_want_more_do_not_wait_for_each_other()
    {
        // Leases may hold 6 frames: each reader has 4 pages in mind, consumes none and asks for more.
        using var cache = new TestCache(frames: 16);
        PipeReader[] readers = [Open(cache).OpenPipeReader(), cache.OpenRun(1 << 20, 40 * 4096).OpenPipeReader()];
        var first = await readers[0].ReadAsync().Within();
        readers[0].AdvanceTo(first.Buffer.GetPosition(10), first.Buffer.End);
        var second = readers[1].ReadAsync().AsTask();
        var more = readers[0].ReadAsync().AsTask();
        var result = await second.Within();
        Files.AssertSame(cache.Device.Copy(1 << 20, 4 * 4096), result.Buffer.ToArray());
        readers[1].AdvanceTo(result.Buffer.End);
        result = await more.Within();
        Files.AssertSame(cache.Device.Copy(10, (6 * 4096) - 10), result.Buffer.ToArray());
        readers[0].AdvanceTo(result.Buffer.GetPosition(5000), result.Buffer.GetPosition(6000));
        result = await readers[0].ReadAsync().Within();
        Files.AssertSame(cache.Device.Copy(5010, (6 * 4096) - 5010), result.Buffer.Slice(0, (6 * 4096) - 5010).ToArray());
        readers[0].AdvanceTo(result.Buffer.End);
        await readers[0].CompleteAsync();
        await readers[1].CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C9")]
    public async Task A_reader_and_a_user_of_leases_that_want_more_do_not_wait_for_each_other()
    {
        using var cache = new TestCache(frames: 16);
        var reader = Open(cache).OpenPipeReader();
        var result = await reader.ReadAsync().Within();
        reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        var other = cache.OpenRun(1 << 20, 40 * 4096);
        using var one = await other.PinAsync(0);
        using var two = await other.PinAsync(4096);
        var three = other.PinAsync(8192).AsTask();
        var more = reader.ReadAsync().AsTask();
        (await three.Within()).Dispose();
        Assert.Equal(6 * 4096, (await more.Within()).Buffer.Length);
        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task Completing_during_a_read_gives_back_what_comes_late()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var reader = Open(cache).OpenPipeReader();
        var pending = reader.ReadAsync().AsTask();
        await gate.Arrived;
        reader.CancelPendingRead();
        Assert.True((await pending.Within()).IsCanceled);
        await reader.CompleteAsync();
        gate.Open();
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task What_was_read_and_not_examined_is_there_for_TryRead()
    {
        using var cache = new TestCache();
        var reader = Open(cache).OpenPipeReader();
        Assert.False(reader.TryRead(out _));
        var result = await reader.ReadAsync().Within();
        reader.AdvanceTo(result.Buffer.GetPosition(100));
        Assert.True(reader.TryRead(out result));
        Assert.Equal(cache.Device.Bytes[100], result.Buffer.FirstSpan[0]);
        reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        Assert.False(reader.TryRead(out _));
        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Row", "G2")]
    public async Task A_pending_read_is_cancelled_without_an_exception()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var reader = Open(cache).OpenPipeReader();
        var pending = reader.ReadAsync().AsTask();
        await gate.Arrived;
        reader.CancelPendingRead();
        var result = await pending.Within();
        Assert.True(result.IsCanceled);
        Assert.False(result.IsCompleted);
        reader.AdvanceTo(result.Buffer.Start);
        gate.Open();
        result = await reader.ReadAsync().Within();
        Assert.False(result.IsCanceled);
        Assert.Equal(MemoryDevice.Word(0), BitConverter.ToUInt64(result.Buffer.FirstSpan));
        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task A_cancellation_between_reads_cancels_the_next_one_once()
    {
        using var cache = new TestCache();
        var reader = Open(cache).OpenPipeReader();
        reader.CancelPendingRead();
        var result = await reader.ReadAsync().Within();
        Assert.True(result.IsCanceled);
        reader.AdvanceTo(result.Buffer.End);
        result = await reader.ReadAsync().Within();
        Assert.False(result.IsCanceled);
        Assert.False(result.Buffer.IsEmpty);
        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Row", "G2")]
    public async Task A_token_cancels_one_read_and_the_reader_goes_on()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var reader = Open(cache).OpenPipeReader();
        using var cancel = new CancellationTokenSource();
        var pending = reader.ReadAsync(cancel.Token).AsTask();
        await gate.Arrived;
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pending.Within());
        gate.Open();
        Assert.False((await reader.ReadAsync().Within()).Buffer.IsEmpty);
        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task Completing_gives_the_pages_back_and_ends_the_reader()
    {
        using var cache = new TestCache();
        var reader = Open(cache).OpenPipeReader();
        await reader.ReadAsync().Within();
        await reader.CompleteAsync();
        await reader.CompleteAsync(new InvalidOperationException());
        cache.EvictAll();
        Assert.Equal(0, cache.ResidentPages);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await reader.ReadAsync());
        Assert.Throws<InvalidOperationException>(() => reader.TryRead(out _));
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task Reading_twice_and_advancing_out_of_turn_are_refused()
    {
        using var cache = new TestCache();
        var reader = Open(cache).OpenPipeReader();
        Assert.Throws<InvalidOperationException>(() => reader.AdvanceTo(default));
        var result = await reader.ReadAsync().Within();
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await reader.ReadAsync());
        reader.AdvanceTo(result.Buffer.End);
        await reader.CompleteAsync();
    }

    [Theory]
    [Trait("Row", "J4")]
    [InlineData(Length)]
    [InlineData(Length + 1)]
    [InlineData(long.MaxValue)]
    public async Task Behind_the_end_there_is_nothing_and_it_is_complete(long offset)
    {
        using var cache = new TestCache();
        var reader = Open(cache).OpenPipeReader(offset);
        var result = await reader.ReadAsync().Within();
        Assert.True(result.IsCompleted);
        Assert.True(result.Buffer.IsEmpty);
        reader.AdvanceTo(result.Buffer.End);
        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    public async Task The_ready_made_adapters_of_pipes_work()
    {
        using var cache = new TestCache();
        var file = Open(cache);
        using var copy = new MemoryStream();
        var reader = file.OpenPipeReader();
        await reader.CopyToAsync(copy).Within();
        await reader.CompleteAsync();
        Files.AssertSame(cache.Device.Copy(0, Length), copy.ToArray());

        using var text = new MemoryStream();
        await file.OpenPipeReader().AsStream().CopyToAsync(text).Within();
        Files.AssertSame(cache.Device.Copy(0, Length), text.ToArray());

        var exact = file.OpenPipeReader();
        var result = await exact.ReadAtLeastAsync(60_000).Within();
        Assert.True(result.Buffer.Length >= 60_000);
        await exact.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C4")]
    public async Task Pages_handed_out_do_not_change_under_the_reader()
    {
        using var cache = new TestCache();
        var reader = Open(cache).OpenPipeReader();
        var result = await reader.ReadAsync().Within();
        var expected = result.Buffer.ToArray();
        cache.Device.Stamp(version: 4);
        cache.Volume.Discard(new BlockRun(0, cache.Device.Length));
        cache.OpenRun(1 << 20, 1 << 20).ReadAll();
        Files.AssertSame(expected, result.Buffer.ToArray());
        reader.AdvanceTo(result.Buffer.End);
        result = await reader.ReadAsync().Within();
        Assert.Equal(MemoryDevice.Word(expected.Length, 4), BitConverter.ToUInt64(result.Buffer.FirstSpan));
        await reader.CompleteAsync();
    }

    [Fact]
    [Trait("Row", "J4")]
    [Trait("Contract", "C11")]
    public async Task A_failing_load_reaches_the_reader_and_may_be_tried_again()
    {
        using var cache = new TestCache();
        cache.Device.Break(2);
        var reader = Open(cache).OpenPipeReader();
        Assert.Equal(8192, (await Assert.ThrowsAsync<PageLoadException>(async () => await reader.ReadAsync().Within())).Offset);
        cache.Device.Heal();
        var result = await reader.ReadAsync().Within();
        Assert.Equal(MemoryDevice.Word(0), BitConverter.ToUInt64(result.Buffer.FirstSpan));
        await reader.CompleteAsync();
    }

    private static MappedFile Open(TestCache cache) => cache.Open(new ListExtents(new Extent(0, 41 * 4096, 0)), Length);
}
