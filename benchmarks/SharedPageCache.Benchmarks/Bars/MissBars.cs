using System.Diagnostics;
using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>Pages that are not in memory: over a device that costs nothing, with and without eviction, and over a real file.</summary>
internal static class MissBars
{
    private const string Section = "Misses and eviction";
    private const string Ours = "SharedPageCache";
    private const int Depth = 16;

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        // Frames of the same number for all, so that the same part of them lies in the processor's caches. Each pass over a file begins with
        // nothing of it in memory, for a policy keeps a part of what it has seen; what is counted is misses.
        const long Capacity = 32 << 20;
        const long Fits = Capacity * 3 / 4;
        const long Large = Capacity * 16;
        using var single = new Store(Capacity, Fits, clones: 0);
        using var runs = new Store(Capacity, Fits, clones: 0);
        using var full = new Store(Capacity, Large, clones: 0);
        using var cloned = new Store(Capacity, Large, clones: 1000);
        var rounds = Interleaved.Run(
            arguments.Budget * 2, runs.Lane("runs", 64, evicts: false), single.Lane("single", 1, evicts: false),
            full.Lane("evicting", 64, evicts: true), cloned.Lane("evicting, 1,000 clones", 64, evicts: true));
        yield return new Figure(Section, "miss of a page, device of no cost, one page a read", Ours, rounds.Nanoseconds(1) / 1000, "us", new Bar(1.5));
        yield return new Figure(Section, "miss of a page, device of no cost, 64 pages a read", Ours, rounds.Nanoseconds(0) / 1000, "us", new Bar(0.5));
        yield return new Figure(
            Section, "evictions of clean pages, one core", Ours, 1000 / rounds.Difference(2, 0), "M/s", new Bar(2, IsLeast: true),
            FormattableString.Invariant($"by difference: a miss takes {rounds.Nanoseconds(2):0} ns with an eviction and {rounds.Nanoseconds(0):0} ns without"));
        yield return HitBars.Ratio(rounds, 3, 2, "miss with eviction, pages of 1,000 clones", "of one file", new Bar(1.05), Section);
        foreach (var policy in Enum.GetValues<EvictionPolicy>())
        {
            yield return AmongUsed(arguments, policy);
        }

        yield return Direct(arguments);
    }

    /// <summary>Every miss evicts, and most pages are in use: a pick that looked at all of them would show with ten times as many.</summary>
    private static Figure AmongUsed(HouseArguments arguments, EvictionPolicy policy)
    {
        const long Small = 8 << 20;
        using var few = new Store(Small, Small * 4, clones: 0, policy);
        using var many = new Store(Small * 10, Small * 40, clones: 0, policy);
        var rounds = Interleaved.Run(arguments.Budget / 2, few.UsedLane("2,000 frames"), many.UsedLane("20,000 frames"));
        return HitBars.Ratio(rounds, 1, 0, $"miss with eviction among 20,000 used frames, {policy}", "among 2,000", null, Section);
    }

    private static Figure Direct(HouseArguments arguments)
    {
        const int InBatch = 64;
        var bytes = arguments.LargeBytes / 2;
        using var scratch = ScratchFile.OnDisk(arguments.Scratch, bytes);
        using var device = FileBlockDevice.Open(scratch.Path);
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = bytes + (bytes / 8) + (16 << 20), MaxReadAheadPages = 0 });
        using var volume = cache.AttachVolume(device);
        var extents = new StraightExtents(0, bytes);
        using var file = volume.OpenFile(extents, bytes);
        using var memory = new AlignedMemory(Depth, 4096);
        var order = new int[(int)(bytes >> 12)];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        new Random(17).Shuffle(order);

        // Every frame is used once before: the first use of memory is the system's work, which clears it, and the raw reads use theirs over and over.
        var chunk = new byte[1 << 20];
        for (var offset = 0L; offset < bytes; offset += chunk.Length)
        {
            file.Read(offset, chunk);
        }

        volume.Discard(new BlockRun(0, bytes));

        // Each page once, whoever reads it: the two take turns along one random order.
        var next = 0;
        var rounds = Interleaved.Run(
            arguments.Budget * 2,
            new Lane("the device's own reads", InBatch, static _ => { }) { Timed = _ => Run(ReadRaw) },
            new Lane("ReadAsync", InBatch, static _ => { }) { Timed = _ => Run(ReadCached) });
        return new Figure(
            Section, $"random reads of 4 KiB from a file, {(device.IsDirect ? "direct I/O" : "buffered")}, {Depth} at a time", "speed, the same reads raw = 1",
            rounds.Ratio(0, 1), "x", new Bar(0.95, IsLeast: true), HitBars.Detail(rounds, 1, 0));

        double Run(Func<int, int, Task> read)
        {
            var flows = new Task[Depth];
            var first = next;
            next += InBatch;
            if (next > order.Length)
            {
                // All of it was read: from the beginning.
                volume.Discard(new BlockRun(0, bytes));
                (first, next) = (0, InBatch);
            }

            var start = Stopwatch.GetTimestamp();
            for (var flow = 0; flow < Depth; flow++)
            {
                flows[flow] = Flow(flow, first, read);
            }

            Task.WaitAll(flows);
            return Stopwatch.GetElapsedTime(start).TotalNanoseconds / InBatch;
        }

        async Task Flow(int flow, int first, Func<int, int, Task> read)
        {
            for (var i = flow; i < InBatch; i += Depth)
            {
                await read(order[first + i], flow).ConfigureAwait(false);
            }
        }

        Task ReadRaw(int page, int flow) =>
            device.ReadAsync(new BlockRun((long)page << 12, 4096), new BlockOrigin(extents, (long)page << 12), [memory[flow]], default).AsTask();

        Task ReadCached(int page, int flow) => file.ReadAsync((long)page << 12, memory[flow]).AsTask();
    }

    /// <summary>A cache that is read from one end of its file to the other, over and over.</summary>
    private sealed class Store : IDisposable
    {
        private readonly PageCache _cache;
        private readonly CachedVolume _volume;
        private readonly MappedFile _file;
        private readonly List<MappedFile> _clones = [];
        private readonly long _bytes;
        private readonly long _capacity;
        private readonly byte[] _buffer = new byte[64 << 12];
        private long _offset;

        public Store(long capacity, long bytes, int clones, EvictionPolicy policy = EvictionPolicy.WindowTinyLfu)
        {
            _bytes = bytes;
            _capacity = capacity;
            _cache = new PageCache(new PageCacheOptions { CapacityBytes = capacity, MaxReadAheadPages = 0, Policy = policy });
            _volume = _cache.AttachVolume(new ZeroCostDevice(bytes));
            _file = _volume.OpenFile(new StraightExtents(0, bytes), bytes);
            for (var i = 0; i < clones; i++)
            {
                _clones.Add(_file.Clone());
            }
        }

        public Lane Lane(string name, int pagesARead, bool evicts)
        {
            const int InBatch = 1024;
            return new Lane(
                name, InBatch, static _ => { },
                () =>
                {
                    _offset = _offset >= _bytes ? 0 : _offset;
                    if (_offset == 0)
                    {
                        _volume.Discard(new BlockRun(0, _bytes));
                        while (evicts && _offset < _capacity)
                        {
                            _file.Read(_offset, _buffer);
                            _offset += _buffer.Length;
                        }
                    }
                })
            {
                Timed = _ => TimeOfMiss(InBatch, pagesARead),
            };
        }

        /// <summary>Reads on, and says how long each page took that was missing.</summary>
        private double TimeOfMiss(int pages, int pagesARead)
        {
            var before = _cache.GetStatistics().Misses;
            var begin = RoundClock.Now();
            for (var page = 0; page < pages; page += pagesARead)
            {
                _file.Read(_offset, _buffer.AsSpan(0, pagesARead << 12));
                _offset += pagesARead << 12;
            }

            var time = RoundClock.Now() - begin;
            var misses = _cache.GetStatistics().Misses - before;
            return misses >= pages / 2
                ? time / misses
                : throw new InvalidOperationException($"Of {pages} pages that should not be in memory {misses} were missing.");
        }

        /// <summary>One page after the other, and each time again one of those that came lately.</summary>
        public Lane UsedLane(string name)
        {
            const int InBatch = 512;
            var random = new Random(19);
            var lately = (int)(_capacity >> 13);
            Pass((int)(_capacity >> 11));
            return new Lane(name, InBatch, _ => Pass(InBatch));

            void Pass(int pages)
            {
                for (var i = 0; i < pages; i++)
                {
                    _offset = (_offset + 4096) % _bytes;
                    _file.Read(_offset, _buffer.AsSpan(0, 8));
                    _file.Read((_offset - ((long)random.Next(lately) << 12) + _bytes) % _bytes, _buffer.AsSpan(0, 8));
                }
            }
        }

        public void Dispose()
        {
            _clones.ForEach(static clone => clone.Dispose());
            _file.Dispose();
            _volume.Dispose();
            _cache.Dispose();
        }
    }
}
