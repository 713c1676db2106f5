using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Faults;

/// <summary>One load for a block, however many threads, clones and strangers wait for it.</summary>
public class SingleFlightTests
{
    private const int Length = 16 * 4096;

    [Fact]
    [Trait("Row", "G1")]
    [Trait("Row", "G3")]
    [Trait("Row", "L12")]
    public async Task Handles_clones_and_strangers_wait_for_one_read()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var file = cache.OpenRun(0, Length);
        MappedFile[] files = [file, file, cache.Clone(file), cache.Clone(cache.Clone(file)), cache.OpenRun(0, Length), cache.OpenRun(4096, Length)];
        var reads = new List<Task<int>>();
        var buffers = new List<byte[]>();
        foreach (var reader in files)
        {
            for (var i = 0; i < 4; i++)
            {
                buffers.Add(new byte[100]);
                reads.Add(reader.ReadAsync(reader == files[^1] ? 4096 : 8192, buffers[^1]).AsTask());
            }
        }

        Assert.All(reads, read => Assert.False(read.IsCompleted));
        Assert.Equal(1, gate.Waiting);
        gate.Open();
        foreach (var read in reads)
        {
            Assert.Equal(100, await read.Within());
        }

        Assert.All(buffers, buffer => Files.AssertSame(cache.Device.Copy(8192, 100), buffer));
        Assert.Equal((1, 1, 1, 23), Counts(cache));
        Assert.Equal(1, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "G1")]
    public async Task Blocking_and_awaiting_readers_wait_for_one_read()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        var awaiting = clone.ReadAsync(0, new byte[8]).AsTask();
        var blocking = Task.Run(() => file.Read(0, new byte[8]));
        Bounded.Until(() => cache.Figures.LoadsCoalesced == 1, "the blocking reader has joined the load");
        gate.Open();
        Assert.Equal(8, await awaiting.Within());
        Assert.Equal(8, await blocking.Within());
        Assert.Equal(1, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "G1")]
    [Trait("Row", "A9")]
    public async Task A_page_made_of_several_runs_is_loaded_once_for_all_too()
    {
        using var cache = new TestCache(blockSize: 512);
        var gate = ReadGate.Before(cache.Device);
        Extent[] extents = [new(0, 512, 512 * 9), new(512, 3584, 512 * 99)];
        var file = cache.Open(extents);
        MappedFile[] files = [file, cache.Clone(file), cache.Open(extents)];
        var reads = files.Select(reader => reader.ReadAsync(0, new byte[4096]).AsTask()).ToArray();
        gate.Open();
        await Task.WhenAll(reads).Within();
        Assert.Equal(2, cache.Device.Reads);
        Assert.Equal(2, cache.Figures.LoadsCoalesced);
    }

    [Fact]
    [Trait("Row", "G2")]
    public async Task A_waiter_that_gives_up_leaves_the_load_to_the_others()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var file = cache.OpenRun(0, Length);
        var clone = cache.Clone(file);
        using var first = new CancellationTokenSource();
        using var third = new CancellationTokenSource();
        var loader = file.ReadAsync(0, new byte[8], first.Token).AsTask();
        var patient = clone.ReadAsync(0, new byte[8]).AsTask();
        var impatient = clone.PinAsync(0, third.Token).AsTask();
        await gate.Arrived;

        // The one that began the load, and one that only joined.
        first.Cancel();
        third.Cancel();
        Assert.Equal(first.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => loader.Within())).CancellationToken);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient.Within());
        Assert.False(patient.IsCompleted);
        gate.Open();
        Assert.Equal(8, await patient.Within());
        Assert.True(file.IsResident(0));
        Assert.Equal(1, cache.Device.Reads);
        Assert.Equal(0, cache.Figures.LoadFailures);
    }

    [Fact]
    [Trait("Row", "G2")]
    public async Task A_load_that_nobody_waits_for_any_more_still_ends_well()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var file = cache.OpenRun(0, Length);
        using var cancel = new CancellationTokenSource();
        var read = file.ReadAsync(0, new byte[8], cancel.Token).AsTask();
        await gate.Arrived;
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.Within());
        gate.Open();
        Bounded.Until(() => file.IsResident(0), "the load has brought the page in");
    }

    [Fact]
    [Trait("Row", "G2")]
    public async Task A_cancelled_token_stops_a_read_before_it_begins()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Length);
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.ReadAsync(0, new byte[8], cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.PinAsync(0, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.PinRangeAsync(0, 8192, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.PrefetchAsync(0, 8192, cancelled));
        Assert.Empty(cache.Device.Requests);
    }

    [Theory]
    [Trait("Row", "G2")]
    [Trait("Contract", "C9")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_around_a_full_cache_can_be_given_up_while_the_device_works(bool reserveInUse)
    {
        using var cache = new TestCache(frames: 8);
        var rooms = cache.Cache.Engine.Rooms;
        var file = cache.OpenRun(0, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        var gate = ReadGate.After(cache.Device);
        var patient = reserveInUse ? file.ReadAsync(100 * 4096, new byte[8]).AsTask() : Task.FromResult(8);
        using var cancel = new CancellationTokenSource();
        var buffer = Canary.Buffer(8);
        var read = file.ReadAsync(200 * 4096, buffer, cancel.Token).AsTask();
        await gate.Arrived;
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.Within());
        gate.Open();
        Assert.Equal(8, await patient.Within());
        Canary.AssertUntouched(buffer);
        Assert.Equal(MemoryDevice.Word(300 * 512), file.ReadWord(300 * 512));
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Row", "G2")]
    [Trait("Contract", "C11")]
    public async Task A_cancellation_that_races_with_the_end_of_a_read_around_is_no_failure_of_the_device()
    {
        using var cache = new TestCache(frames: 8);
        var rooms = cache.Cache.Engine.Rooms;
        var file = cache.OpenRun(0, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Pin(frame);
        }

        for (var round = 0; round < 500; round++)
        {
            var gate = ReadGate.After(cache.Device);
            using var cancel = new CancellationTokenSource();
            var read = file.ReadAsync(200 * 4096, new byte[8], cancel.Token).AsTask();
            await gate.Arrived;
            var ends = Task.Run(gate.Open);
            cancel.Cancel();
            await ends;
            try
            {
                Assert.Equal(8, await read.Within());
            }
            catch (OperationCanceledException error)
            {
                Assert.Equal(cancel.Token, error.CancellationToken);
            }
        }

        Assert.Equal(0, cache.Figures.LoadFailures);
        cache.Device.AfterRead = null;
        Assert.Equal(MemoryDevice.Word(409600), file.ReadWord(409600));
        for (var frame = 0; frame < 8; frame++)
        {
            rooms.Frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Row", "G2")]
    public async Task A_waiter_that_gives_up_in_the_engine_leaves_the_others_theirs()
    {
        using var cache = new TestCache();
        var engine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var file = cache.Open(new ListExtents(new Extent(0, Length, 0)) { BeforeAnswer = () => engine.Task }, Length);
        using var cancel = new CancellationTokenSource();
        var patient = file.ReadAsync(0, new byte[8]).AsTask();
        var impatient = file.ReadAsync(0, new byte[8], cancel.Token).AsTask();
        cancel.Cancel();
        engine.SetResult();
        Assert.Equal(8, await patient.Within());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient.Within());
        Assert.Equal(1, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "G1")]
    [Trait("Row", "L30")]
    public async Task A_page_that_is_being_loaded_is_shown_to_nobody()
    {
        using var cache = new TestCache();
        var gate = ReadGate.After(cache.Device);
        var file = cache.OpenRun(0, Length);
        MappedFile[] others = [file, cache.Clone(file), cache.OpenRun(0, Length), cache.OpenRun(4096, Length)];
        var load = file.ReadAsync(4096, new byte[8]).AsTask();
        await gate.Arrived;
        foreach (var other in others)
        {
            var buffer = Canary.Buffer(4096);
            Assert.False(other.TryRead(other == others[^1] ? 0 : 4096, buffer, out _));
            Assert.False(other.TryPin(other == others[^1] ? 0 : 4096, out _));
            Canary.AssertNothingForeign(buffer);
        }

        gate.Open();
        await load.Within();
    }

    [Fact]
    [Trait("Row", "G3")]
    public async Task Every_awaiting_call_leaves_its_thread_while_the_device_works()
    {
        using var cache = new TestCache();
        var gate = ReadGate.Before(cache.Device);
        var file = cache.OpenRun(0, Length);
        var pipe = file.OpenPipeReader(40960);
        var calls = new Task[]
        {
            file.ReadAsync(0, new byte[8]).AsTask(), file.PinAsync(4096).AsTask(),
            file.PinRangeAsync(8192, 8192).AsTask(), file.PrefetchAsync(32768, 4096).AsTask(),
            file.OpenStream().ReadAsync(new byte[8]).AsTask(), pipe.ReadAsync().AsTask(),
        };
        Assert.All(calls, call => Assert.False(call.IsCompleted));
        gate.Open();
        await Task.WhenAll(calls).Within();
        (await (Task<PageMemoryLease>)calls[1]).Dispose();
        (await (Task<PageRangeLease>)calls[2]).Dispose();
        var pages = (await (Task<System.IO.Pipelines.ReadResult>)calls[5]).Buffer;
        Assert.Equal(MemoryDevice.Word(40960), BitConverter.ToUInt64(pages.FirstSpan));
        await pipe.CompleteAsync();
    }

    private static (long Major, long DeviceReads, long Pages, long Coalesced) Counts(TestCache cache) =>
        (cache.Figures.MajorFaults, cache.Figures.DeviceReads, cache.Figures.DevicePagesRead, cache.Figures.LoadsCoalesced);
}
