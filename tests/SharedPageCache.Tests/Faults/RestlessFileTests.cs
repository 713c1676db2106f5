using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Faults;

/// <summary>Files whose engine never stands still: the sequence moves during each read of the device.</summary>
public class RestlessFileTests
{
    private const int Patience = 20;

    [Theory]
    [Trait("Contract", "C9")]
    [Trait("Row", "A9")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_page_made_of_several_runs_is_read_once_and_kept(bool blocking)
    {
        using var cache = new TestCache(blockSize: 512);
        Extent[] runs = [new(0, 512, 4096), new(512, 1024, 512 * 99), new(1536, 2560, 512 * 31)];
        var extents = new ListExtents(runs);
        var file = cache.Open(extents, 4096);
        MoveDuringReads(cache.Device, extents, runs);
        byte[] expected = [.. cache.Device.Copy(4096, 512), .. cache.Device.Copy(512 * 99, 1024), .. cache.Device.Copy(512 * 31, 2560)];
        var buffer = new byte[4096];
        Assert.Equal(4096, blocking ? file.Read(0, buffer) : await file.ReadAsync(0, buffer));
        Files.AssertSame(expected, buffer);
        Assert.True(file.TryRead(0, buffer, out _));
        Files.AssertSame(expected, cache.Open(runs).ReadAll());
        Assert.Equal(3, cache.Device.Requests.Count);
    }

    [Fact]
    [Trait("Contract", "C9")]
    [Trait("Row", "G1")]
    public async Task Who_waits_for_a_page_made_of_several_runs_may_use_it_though_its_loader_has_left()
    {
        using var cache = new TestCache(blockSize: 512);
        Extent[] runs = [new(0, 512, 4096), new(512, 3584, 512 * 99)];
        var leaving = new ListExtents(runs);
        var loader = cache.Open(leaving, 4096);
        var stranger = cache.Open(runs);
        var gate = ReadGate.After(cache.Device);
        var first = loader.ReadAsync(0, new byte[4096]).AsTask();
        var buffer = new byte[4096];
        var second = stranger.ReadAsync(0, buffer).AsTask();
        await gate.Arrived;
        leaving.Replace(new Extent(0, 4096, 1 << 20));
        loader.InvalidateExtents(0, 4096);
        cache.Device.AfterRead = null;
        gate.Open();
        await second.Within();
        Files.AssertSame([.. cache.Device.Copy(4096, 512), .. cache.Device.Copy(512 * 99, 3584)], buffer);
        await first.Within();
        Files.AssertSame(cache.Device.Copy(1 << 20, 4096), loader.ReadAll());
        Assert.Equal(3, cache.Device.Requests.Count);
        Assert.True(stranger.TryRead(0, buffer, out _));
    }

    [Theory]
    [Trait("Contract", "C9")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_around_a_full_cache_reads_once(bool blocking)
    {
        using var cache = new TestCache(frames: 8);
        var extents = new ListExtents(new Extent(0, 1 << 20, 0));
        var file = cache.Open(extents, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        PinAll(cache);
        MoveDuringReads(cache.Device, extents, new Extent(0, 1 << 20, 0));
        var buffer = new byte[8];
        Assert.Equal(8, blocking ? file.Read(409600, buffer) : await file.ReadAsync(409600, buffer));
        Assert.Equal(MemoryDevice.Word(409600), BitConverter.ToUInt64(buffer));
        Assert.Equal(1, cache.Figures.ReadsAround);
        UnpinAll(cache);
    }

    [Theory]
    [Trait("Contract", "C8")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_around_a_full_cache_that_its_file_has_outrun_is_not_believed(bool isOpaque)
    {
        var device = new FileTellingDevice();
        using var cache = new PageCache(new PageCacheOptions { ExactFrameCount = 8, HugePages = false });
        using var volume = cache.AttachVolume(device);
        var flags = isOpaque ? ExtentFlags.Opaque : ExtentFlags.None;
        var extents = new ListExtents(new Extent(0, 1 << 20, isOpaque ? -1 : 0, flags));
        using var file = volume.OpenFile(extents, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        var frames = cache.Engine.Rooms.Frames;
        for (var frame = 0; frame < frames.Count; frame++)
        {
            frames.Pin(frame);
        }

        device.Close();
        var buffer = new byte[8];
        var read = file.ReadAsync(409600, buffer).AsTask();
        await device.Arrived.Within();
        extents.Replace(new Extent(0, 1 << 20, isOpaque ? -1 : 1 << 20, flags));
        file.InvalidateExtents(0, 1 << 20);
        device.Version++;
        device.Open();
        await read.Within();
        Assert.Equal(device.Word(isOpaque ? 409600 : 409600 + (1 << 20), extents), BitConverter.ToUInt64(buffer));
        Assert.Equal(2, cache.GetStatistics().ReadsAround);
        for (var frame = 0; frame < frames.Count; frame++)
        {
            frames.Unpin(frame);
        }
    }

    [Fact]
    [Trait("Contract", "C9")]
    [Trait("Row", "A5")]
    public async Task Bytes_without_an_address_that_moved_while_they_were_read_are_their_files_alone()
    {
        var device = new FileTellingDevice();
        using var cache = new PageCache(new PageCacheOptions { ExactFrameCount = 64, HugePages = false });
        using var volume = cache.AttachVolume(device);
        var opaque = new Extent(0, 4096, -1, ExtentFlags.Opaque);
        var extents = new CloneableExtents(opaque);
        using var file = volume.OpenFile(extents, 4096);
        using var clone = file.Clone();

        // One leaf, no page of it yet.
        device.Close();
        var own = new byte[8];
        var others = new byte[8];
        var reads = file.ReadAsync(0, own).AsTask();
        var waits = clone.ReadAsync(0, others).AsTask();
        await device.Arrived.Within();
        extents.Replace(opaque);
        device.Open();
        await reads.Within();
        await waits.Within();

        // What the file read first is of neither moment and nobody's. It reads once more, or shows what the clone has read of the page that both
        // showed, until it is told of the change.
        Assert.Equal(device.Word(0, clone.Extents), BitConverter.ToUInt64(others));
        Assert.Contains(BitConverter.ToUInt64(own), (ulong[])[device.Word(0, extents), device.Word(0, clone.Extents)]);
        Assert.Equal(device.Word(0, extents) == BitConverter.ToUInt64(own) ? 3 : 2, device.Reads);
        cache.Verify();
    }

    [Theory]
    [Trait("Contract", "C11")]
    [InlineData(64, 1)]
    [InlineData(64, 4)]
    [InlineData(8, 1)]
    [InlineData(8, 4)]
    public void A_load_that_fails_because_the_extents_moved_is_asked_for_again(int frames, int failures)
    {
        using var cache = new TestCache(frames: frames);
        var extents = new ListExtents(new Extent(0, 1 << 20, 0));
        var file = cache.Open(extents, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        if (frames == 8)
        {
            PinAll(cache);
        }

        var failed = 0;
        cache.Device.BeforeRead = run =>
        {
            if (failed++ == failures)
            {
                return Task.CompletedTask;
            }

            extents.Replace(new Extent(0, 1 << 20, 4096 * (failed + 1)));
            file.InvalidateExtents(0, 1 << 20);
            throw new IOException("the blocks no longer lie there.");
        };
        Assert.Equal(MemoryDevice.Word(409600 + (4096 * (failures + 1))), file.ReadWord(409600));
        if (frames == 8)
        {
            UnpinAll(cache);
        }
    }

    [Theory]
    [Trait("Contract", "C11")]
    [InlineData(64)]
    [InlineData(8)]
    public void A_device_that_fails_while_extents_never_stand_still_is_named_in_the_end(int frames)
    {
        using var cache = new TestCache(frames: frames);
        var extents = new ListExtents(new Extent(0, 1 << 20, 0));
        var file = cache.Open(extents, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        if (frames == 8)
        {
            PinAll(cache);
        }

        cache.Device.BeforeRead = run =>
        {
            extents.Replace(new Extent(0, 1 << 20, 0));
            throw new IOException("the disk is broken.");
        };
        var asked = cache.Device.Requests.Count;
        Assert.Equal(409600, Assert.Throws<PageLoadException>(() => file.ReadWord(409600)).Offset);
        Assert.Equal(5, cache.Device.Requests.Count - asked);
        if (frames == 8)
        {
            UnpinAll(cache);
        }
    }

    [Fact]
    [Trait("Contract", "C8")]
    public void Discards_of_other_blocks_of_a_window_do_not_fail_a_read()
    {
        using var cache = new TestCache();
        var extents = new ListExtents(new Extent(0, 1 << 20, 0));
        var file = cache.Open(extents, 1 << 20);
        var block = 100;
        extents.BeforeAnswer = () =>
        {
            cache.Volume.Discard(new BlockRun(block * 4096, 4096));
            return Task.CompletedTask;
        };
        Assert.Equal(MemoryDevice.Word(0), file.ReadWord(0));
        Assert.InRange(extents.Asked, 2, 63);

        // What was discarded meanwhile is not believed.
        block = 7;
        cache.Volume.Discard(new BlockRun(7 * 4096, 4096));
        Assert.Throws<ExtentMapException>(() => file.ReadWord(7 * 4096));
        extents.BeforeAnswer = null;
        Assert.Equal(MemoryDevice.Word(7 * 4096), file.ReadWord(7 * 4096));
        Assert.Equal(MemoryDevice.Word(409600), file.ReadWord(409600));
    }

    /// <summary>Moves the sequence, and nothing else, during each read; not for ever, so that a test ends.</summary>
    /// <summary>The engine has moved a page, and its device refuses the old blocks for this file; the cache is told only afterwards.</summary>
    [Theory]
    [Trait("Contract", "C11")]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_read_that_comes_between_a_move_and_its_news_finds_the_new_place(bool blocking, bool isAround)
    {
        using var cache = new TestCache(frames: 8);
        var extents = new ListExtents(new Extent(0, 1 << 20, 0));
        var file = cache.Open(extents, 1 << 20);
        file.ReadAt(0, 7 * 4096);
        if (isAround)
        {
            PinAll(cache);
        }

        var refused = 0;
        cache.Device.BeforeRead = run => run.Offset < 1 << 20 && refused++ >= 0 ? throw new IOException("no longer here") : Task.CompletedTask;
        extents.Replace(new Extent(0, 1 << 20, 1 << 20));

        var buffer = new byte[8];
        Assert.Equal(8, blocking ? file.Read(409600, buffer) : await file.ReadAsync(409600, buffer));

        Assert.Equal(MemoryDevice.Word((1 << 20) + 409600), BitConverter.ToUInt64(buffer));
        Assert.Equal(1, refused);
        file.InvalidateExtents(0, 1 << 20);
        cache.Device.BeforeRead = _ => throw new IOException("nowhere");
        Assert.Throws<PageLoadException>(() => file.Read(819200, buffer));
        if (isAround)
        {
            UnpinAll(cache);
        }
    }

    private static void MoveDuringReads(MemoryDevice device, ListExtents extents, params Extent[] same)
    {
        var moved = 0;
        device.AfterRead = run =>
        {
            if (moved++ < Patience)
            {
                extents.Replace(same);
            }

            return Task.CompletedTask;
        };
    }

    private static void PinAll(TestCache cache)
    {
        var frames = cache.Cache.Engine.Rooms.Frames;
        for (var frame = 0; frame < frames.Count; frame++)
        {
            frames.Pin(frame);
        }
    }

    private static void UnpinAll(TestCache cache)
    {
        var frames = cache.Cache.Engine.Rooms.Frames;
        for (var frame = 0; frame < frames.Count; frame++)
        {
            frames.Unpin(frame);
        }
    }

    /// <summary>
    /// Bytes tell the address or, where they have none, the file that they are read through; reads stop before a gate.
    /// </summary>
    private sealed class FileTellingDevice : IBlockDevice
    {
        private TaskCompletionSource _arrived = New();
        private TaskCompletionSource? _gate;
        private int _reads;

        public int BlockSize => 4096;

        public long Length => 4 << 20;

        public int Version { get; set; }

        public int Reads => Volatile.Read(ref _reads);

        public Task Arrived => _arrived.Task;

        public void Close()
        {
            _arrived = New();
            _gate = New();
        }

        public void Open() => _gate!.SetResult();

        public ulong Word(long offset, IExtentMap file) =>
            MemoryDevice.Word(offset, System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(file) & 0x7FF) + (ulong)Version;

        public async ValueTask<int> ReadAsync(
            BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            var version = Version;
            _arrived.TrySetResult();
            if (_gate is { } gate)
            {
                await gate.Task;
            }

            var offset = run.IsSome ? run.Offset : origin.FileOffset;
            var length = 0;
            foreach (var buffer in buffers)
            {
                for (var i = 0; i < buffer.Length; i += 8)
                {
                    BitConverter.TryWriteBytes(buffer.Span[i..], Word(offset + length + i, origin.File) - (ulong)(Version - version));
                }

                length += buffer.Length;
            }

            return length;
        }

        private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
