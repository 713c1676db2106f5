using System.Buffers;
using SharedPageCache.Stress.Storms;
using SharedPageCache.Stress.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Stress;

/// <summary>
/// Hostile input (T9): every public member, called with negative, zero, largest, overflowing, unaligned, null, disposed,
/// closed and foreign arguments: the documented exception, state unchanged, everything readable afterwards.
/// </summary>
public sealed class HostileInputTests(ITestOutputHelper output)
{
    private const int Page = 4096;

    private static readonly long[] Numbers =
    [
        0, 1, -1, 7, 511, 512, 4095, 4096, 4097, 65536, 1 << 20, (1 << 20) + 1, -4096, int.MaxValue, int.MinValue,
        (long)int.MaxValue + 1, 1L << 32, 1L << 47, 1L << 48, 1L << 56, (1L << 56) + 1, 1L << 60, 1L << 62,
        long.MaxValue, long.MaxValue - 1, long.MaxValue - 4095, long.MaxValue & ~4095L, long.MinValue, long.MinValue + 1,
    ];

    private enum Verdict
    {
        Fine,
        Refused,
    }

    [Fact]
    public async Task Random_calls_with_hostile_arguments_get_documented_exceptions_and_change_nothing()
    {
        var seed = Soak.Seed();
        output.WriteLine(Soak.Replay(nameof(HostileInputTests), seed));
        var dice = new Dice(seed);
        var calls = Soak.Scaled(20_000);
        var refused = 0;
        using var world = new World();
        var acts = world.Acts();
        for (var i = 0; i < calls; i++)
        {
            var (name, act) = acts[dice.Below(acts.Count)];
            var before = world.Figures();
            var numbers = (A: Pick(dice), B: Pick(dice), C: Pick(dice));
            try
            {
                if (await CallAsync(name, act, dice, numbers) == Verdict.Refused)
                {
                    refused++;
                    Assert.True(before == world.Figures(), $"{name}{numbers} was refused, but the state has changed: {before} -> {world.Figures()}");
                }
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"call {i}, {name}{numbers}: {error.Message} {Soak.Replay(nameof(HostileInputTests), seed)}", error);
            }

            if (i % 1000 == 0)
            {
                world.Check();
            }
        }

        world.Check();
        Soak.Report(output, "Hostile input", $"{calls} calls of {acts.Count} members, {refused} refused");
    }

    [Fact]
    public void Options_out_of_range_are_refused_with_what_would_be_right()
    {
        foreach (var number in Numbers)
        {
            var pageSize = (int)number;
            if (pageSize is < 512 or > 65536 || (pageSize & (pageSize - 1)) != 0)
            {
                Assert.ThrowsAny<ArgumentException>(() => new PageCache(new PageCacheOptions { PageSize = pageSize }));
            }

            if (number < 32 << 10)
            {
                Assert.ThrowsAny<ArgumentException>(() => new PageCache(new PageCacheOptions { CapacityBytes = number }));
            }

            if ((int)number is < 0 or > 1024)
            {
                Assert.ThrowsAny<ArgumentException>(() => new PageCache(new PageCacheOptions { MaxReadAheadPages = (int)number }));
            }

            using var cache = new PageCache(new PageCacheOptions { ExactFrameCount = 8 });
            var block = (int)number;
            if (block is < 512 or > 65536 || (block & (block - 1)) != 0)
            {
                Assert.ThrowsAny<ArgumentException>(() => cache.AttachVolume(new OddDevice(block)));
            }
        }

        Assert.ThrowsAny<ArgumentException>(() => new PageCache(null!));
        Assert.ThrowsAny<ArgumentException>(() => new PageCache(new PageCacheOptions { Name = " " }));
        Assert.ThrowsAny<ArgumentException>(() => new PageCache(new PageCacheOptions { Policy = (EvictionPolicy)77 }));
        Assert.ThrowsAny<ArgumentException>(() => new PageCache(new PageCacheOptions { CapacityBytes = long.MaxValue, PageSize = 512 }));
    }

    /// <summary>An engine's hooks that break their promise: they call the cache, throw, return null.</summary>
    [Fact]
    public async Task Engines_that_misbehave_get_exceptions_and_no_damage()
    {
        var device = new PlainDevice(Page, 256);
        using var cache = new PageCache(new PageCacheOptions { PageSize = Page, ExactFrameCount = 16 });
        using var volume = cache.AttachVolume(device);
        var map = new HostileMap(new Extent(0, 16 * Page, 0));
        using var file = volume.OpenFile(map, 16 * Page);

        map.OnClone = static () => throw new TimeoutException("the engine is gone");
        Assert.Throws<TimeoutException>(() => file.Clone());
        map.OnClone = static () => null;
        Assert.Throws<InvalidOperationException>(() => file.Clone());
        map.OnClone = null;

        map.FailsSequence = true;
        await Assert.ThrowsAsync<ExtentMapException>(async () => await file.ReadAsync(0, new byte[10]));
        Assert.Throws<ExtentMapException>(() => file.Read(0, new byte[10]));
        map.FailsSequence = false;
        map.AssertReads(device, file);
        map.AssertReads(device, file, 0, 10);
        map.FailsSequence = true;
        Assert.True(file.TryRead(0, new byte[10], out _));
        map.FailsSequence = false;

        map.NeverStands = true;
        volume.Discard(new BlockRun(0, 16 * Page));
        Assert.Throws<ExtentMapException>(() => file.Read(0, new byte[10]));
        map.NeverStands = false;
        map.AssertReads(device, file);
        Assert.Equal(1, volume.OpenFiles);
        Assert.Equal(0, Words.PinsOf(cache));
        cache.Verify();
    }

    private static long Pick(Dice dice) => dice.OneIn(3) ? (long)dice.Next() >> dice.Below(63) : Numbers[dice.Below(Numbers.Length)];

    private static async Task<Verdict> CallAsync(
        string name, Func<Dice, (long A, long B, long C), ValueTask> act, Dice dice, (long A, long B, long C) numbers)
    {
        try
        {
            var task = act(dice, numbers).AsTask();
            await task.WaitAsync(TimeSpan.FromSeconds(60));
            return Verdict.Fine;
        }
        catch (ArgumentException)
        {
            return Verdict.Refused;
        }
        catch (ObjectDisposedException)
        {
            return Verdict.Refused;
        }
        catch (CacheCapacityException)
        {
            return Verdict.Refused;
        }
        catch (IOException) when (name.Contains("Seek", StringComparison.Ordinal))
        {
            return Verdict.Refused;
        }
        catch (NotSupportedException) when (name.Contains("Stream", StringComparison.Ordinal))
        {
            return Verdict.Refused;
        }
        catch (OperationCanceledException) when (name.Contains("cancelled", StringComparison.Ordinal))
        {
            return Verdict.Refused;
        }
        catch (InvalidOperationException) when (name.Contains("pipe", StringComparison.Ordinal))
        {
            return Verdict.Refused;
        }
    }

    private sealed class World : IDisposable
    {
        private readonly PlainDevice _device = new(Page, 512);
        private readonly PlainMap _map = new(new Extent(0, 100 * Page, 20 * Page), new Extent(200 * Page, 100 * Page, 300 * Page));
        private readonly PageCache _cache = new(new PageCacheOptions { PageSize = Page, ExactFrameCount = 32 });
        private readonly PageCache _disposedCache = new(new PageCacheOptions { PageSize = Page, ExactFrameCount = 8 });
        private readonly CachedVolume _volume;
        private readonly CachedVolume _other;
        private readonly CachedVolume _detached;
        private readonly MappedFile _file;
        private readonly MappedFile _closed;
        private readonly MappedFile _empty;
        private readonly MappedFile _huge;
        private readonly MappedFile _orphan;
        private readonly byte[] _buffer = new byte[3 * Page];

        public World()
        {
            _volume = _cache.AttachVolume(_device);
            _other = _cache.AttachVolume(_device);
            _detached = _cache.AttachVolume(_device);
            _file = _volume.OpenFile(_map, 300 * Page - 5);
            _closed = _volume.OpenFile(_map, 300 * Page - 5);
            _closed.Dispose();
            _empty = _volume.OpenFile(_map, 0);
            _huge = _volume.OpenFile(_map, 1L << 56);
            _orphan = _detached.OpenFile(_map, 300 * Page);
            _detached.Dispose();
            _disposedCache.Dispose();
        }

        private MappedFile AnyFile(Dice dice) => dice.Below(10) switch
        {
            0 => _closed,
            1 => _empty,
            2 or 3 => _huge,
            4 => _orphan,
            _ => _file,
        };

        private CachedVolume AnyVolume(Dice dice) => dice.Below(5) switch
        {
            0 => _detached,
            1 => _other,
            _ => _volume,
        };

        public List<(string Name, Func<Dice, (long A, long B, long C), ValueTask> Act)> Acts()
        {
            var acts = new List<(string, Func<Dice, (long A, long B, long C), ValueTask>)>();
            void Add(string name, Action<Dice, (long A, long B, long C)> act) => acts.Add((name, (dice, n) =>
            {
                act(dice, n);
                return ValueTask.CompletedTask;
            }));
            void AddAsync(string name, Func<Dice, (long A, long B, long C), ValueTask> act) => acts.Add((name, act));

            Add("Read", (dice, n) => Expect(AnyFile(dice), n.A, AnyFile(dice).Read(n.A, Span(n.B))));
            Add("TryRead", (dice, n) => AnyFile(dice).TryRead(n.A, Span(n.B), out _));
            AddAsync("ReadAsync", async (dice, n) => await AnyFile(dice).ReadAsync(n.A, _buffer.AsMemory(0, Span(n.B).Length)));
            AddAsync("ReadAsync, cancelled", async (dice, n) => await AnyFile(dice).ReadAsync(n.A, _buffer, new CancellationToken(true)));
            Add("TryPin", (dice, n) =>
            {
                if (AnyFile(dice).TryPin(n.A, out var lease))
                {
                    lease.Dispose();
                    lease.Dispose();
                }
            });
            AddAsync("PinAsync", async (dice, n) => (await AnyFile(dice).PinAsync(n.A)).Dispose());
            AddAsync("PinRangeAsync", async (dice, n) => (await AnyFile(dice).PinRangeAsync(n.A, n.B)).Dispose());
            AddAsync("PrefetchAsync", async (dice, n) =>
            {
                var file = AnyFile(dice);
                var length = file == _huge && n.B > 1 << 20 ? 1 << 20 : n.B;
                await file.PrefetchAsync(n.A, length);
            });
            AddAsync("PrefetchAsync, cancelled", async (dice, n) => await AnyFile(dice).PrefetchAsync(n.A, n.B, new CancellationToken(true)));
            Add("Clone", (dice, _) => AnyFile(dice).Clone().Dispose());
            AddAsync("CloneAsync", async (dice, _) => (await AnyFile(dice).CloneAsync()).Dispose());
            Add("InvalidateExtents", (dice, n) => AnyFile(dice).InvalidateExtents(n.A, n.B));
            Add("GetReport", (dice, _) => (dice.OneIn(2) ? _file : _closed).GetReport());
            Add("OpenStream", (dice, n) =>
            {
                using var stream = AnyFile(dice).OpenStream();
                stream.Position = n.A;
                _ = stream.Read(_buffer, 0, 100);
            });
            Add("Stream.Read", (dice, n) =>
            {
                using var stream = AnyFile(dice).OpenStream();
                _ = stream.Read(dice.OneIn(5) ? null! : _buffer, (int)n.A, (int)n.B);
            });
            Add("Stream.Seek", (dice, n) =>
            {
                using var stream = AnyFile(dice).OpenStream();
                stream.Seek(n.A, (SeekOrigin)dice.Below(4));
                stream.Seek(n.B, SeekOrigin.Current);
                _ = stream.ReadByte();
            });
            Add("Stream.Write", (dice, _) =>
            {
                using var stream = AnyFile(dice).OpenStream();
                stream.Write(_buffer, 0, 1);
            });
            AddAsync("pipe", async (dice, n) =>
            {
                var reader = AnyFile(dice).OpenPipeReader(n.A);
                try
                {
                    var result = await reader.ReadAsync();
                    reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
                    await reader.ReadAsync();
                    await reader.ReadAsync();
                }
                finally
                {
                    reader.Complete();
                }
            });
            Add("OpenFile", (dice, n) => AnyVolume(dice).OpenFile(dice.OneIn(5) ? null! : _map, n.A).Dispose());
            Add("Discard", (dice, n) => AnyVolume(dice).Discard(new BlockRun(n.A, n.B)));
            Add("Relocate", (dice, n) => Relocate(dice, n));
            Add("FindReferences", (dice, n) => Assert.InRange(AnyVolume(dice).FindReferences(new BlockRun(n.A, n.B)).Take(100).Count(), 0, 100));
            Add("AttachVolume, disposed", (_, _) => _disposedCache.AttachVolume(_device));
            Add("AttachVolume, null", (_, _) => _cache.AttachVolume(null!));
            Add("AttachVolume, twice", (_, _) => _cache.AttachVolume(_device, new VolumeOptions { Id = _volume.Id }));
            Add("GetStatistics", (_, _) => Assert.True(_cache.GetStatistics().FrameCount == 32 && _disposedCache.GetStatistics().ResidentBytes == 0));
            Add("Dump", (_, _) => Assert.NotEmpty(_cache.Dump() + _disposedCache.Dump()));
            Add("Verify", (_, _) => _disposedCache.Verify());
            Add("Dispose", (_, _) =>
            {
                _closed.Dispose();
                _detached.Dispose();
                _disposedCache.Dispose();
            });
            return acts;
        }

        /// <summary>What a refused call must leave as it was.</summary>
        public (long Files, long Logical, long Pins, long Leased) Figures()
        {
            var figures = _cache.GetStatistics();
            return (figures.OpenFiles, figures.LogicalBytes, Words.PinsOf(_cache), figures.LeakedLeases);
        }

        public void Check()
        {
            SpinWait.SpinUntil(() => Words.PinsOf(_cache) == 0, 5000);
            Assert.Equal(0, Words.PinsOf(_cache));
            _map.AssertReads(_device, _file);
            _cache.Verify();
        }

        public void Dispose() => _cache.Dispose();

        private static void Expect(MappedFile file, long offset, int read) =>
            Assert.True(read >= 0 && (offset < 0 || read <= Math.Max(0, Math.Max(file.Length, 1L << 56) - offset)));

        /// <summary>A move that is allowed would be a lie to the cache: only those that must be refused are called.</summary>
        private void Relocate(Dice dice, (long A, long B, long C) n)
        {
            var (from, to) = (new BlockRun(n.A, n.C), new BlockRun(n.B, n.C));
            var fits = n.A >= 0 && n.B >= 0 && n.C > 0 && n.A <= _device.Length - n.C && n.B <= _device.Length - n.C;
            if (!fits)
            {
                AnyVolume(dice).Relocate(from, to);
            }
        }

        private Span<byte> Span(long number) => _buffer.AsSpan(0, (int)((ulong)number % (ulong)_buffer.Length));
    }

    private sealed class OddDevice(int blockSize) : IBlockDevice
    {
        public int BlockSize => blockSize;

        public long Length => 1 << 20;

        public ValueTask<int> ReadAsync(
            BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
            throw new IOException();
    }

    private sealed class HostileMap(params Extent[] extents) : PlainMap(extents)
    {
        private long _moves;

        public bool FailsSequence { get; set; }

        public bool NeverStands { get; set; }

        public Func<IExtentMap?>? OnClone { get; set; }

        public override long Sequence => FailsSequence ? throw new TimeoutException("no sequence")
            : NeverStands ? Interlocked.Increment(ref _moves)
            : base.Sequence;

        public override IExtentMap Clone() => OnClone is null ? base.Clone() : OnClone()!;
    }
}
