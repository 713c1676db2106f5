using SharedPageCache.Cow;
using SharedPageCache.TestKit.Faults;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Stress.Faults;

/// <summary>A small cache over an engine of which every call may fail, and another volume that never does.</summary>
internal sealed class World : IDisposable
{
    private readonly MemoryDevice _disk;
    private readonly MappedFile _ballast;
    private readonly CowVolume? _cow;
    private readonly BlockSeal? _seal;
    private readonly Dictionary<string, Queue<Action>> _moments = [];
    private readonly int _ballastPages;
    private ulong _ids;

    public World(Layout layout, FaultPlan plan, int blocks = 320)
    {
        (Layout, Plan) = (layout, plan);
        Cache = new PageCache(new PageCacheOptions
        {
            PageSize = layout.PageSize, ExactFrameCount = layout.Frames, Policy = layout.Policy, HugePages = false,
            MaxReadAheadPages = 2, DirtyAge = TimeSpan.FromHours(1),
        });
        var block = BlockSize = Math.Min(layout.PageSize, 1024);
        var isCow = layout.Engine == EngineKind.CowVolume;
        _disk = new MemoryDevice((isCow ? 128 << 10 : 0) + blocks * layout.PageSize, block).Stamp();
        Device = new FaultyDevice(_disk, plan) { Yields = layout.IsAsync, Before = Reach };
        if (isCow)
        {
            using (FaultPlan.Spare())
            {
                _cow = CowVolume.Create(Device, new CowVolumeOptions
                {
                    EnsureDurable = (_, _) =>
                    {
                        Reach("EnsureDurable");
                        plan.Call("EnsureDurable");
                        return ValueTask.CompletedTask;
                    },
                });
            }

            Volume = _cow.Attach(Cache);
        }
        else
        {
            Engine = new PageEngine(blocks, layout.PageSize, layout.Engine == EngineKind.InPlace)
            {
                Before = call =>
                {
                    Reach(call);
                    plan.Call(call);
                },
            };
            _seal = layout.IsSealed ? new BlockSeal(plan) : null;
            Volume = Cache.AttachVolume(Device, new VolumeOptions { Placement = Engine, Seal = _seal });
            Engine.Volume = Volume;
        }

        _ballastPages = 2 * layout.Frames;
        _ballast = Cache.AttachVolume(new MemoryDevice(_ballastPages * layout.PageSize, block))
            .OpenFile(new ExtentList(new Extent(0, _ballastPages * layout.PageSize, 0)), _ballastPages * layout.PageSize);
    }

    public Layout Layout { get; }

    public FaultPlan Plan { get; }

    public int BlockSize { get; }

    public PageCache Cache { get; }

    public CachedVolume Volume { get; }

    /// <summary>Null over the example engine.</summary>
    public PageEngine? Engine { get; }

    public FaultyDevice Device { get; }

    /// <summary>Whether several play in it at the same time.</summary>
    public bool IsShared { get; init; }

    public PageCacheStatistics Figures => Cache.GetStatistics();

    public FileOpenOptions NewId(string name) => new() { Id = FileId.FromNumber(Interlocked.Increment(ref _ids)), Name = name };

    /// <summary>A file of pages that lie on the device, and what it holds.</summary>
    public async Task<(MappedFile File, byte[] Bytes)> OpenMappedAsync(string name, int pages)
    {
        var length = pages * Layout.PageSize;
        if (Engine is not null)
        {
            var extents = Engine.CreateMapped(pages);
            return (Volume.OpenFile(extents, length, NewId(name)), _disk.Copy(extents.Blocks[0] * Layout.PageSize, length));
        }

        using (FaultPlan.Spare())
        {
            var file = OpenNew(name, 0);
            var bytes = new byte[length];
            new Random(pages).NextBytes(bytes);
            await file.WriteAsync(0, bytes);
            await file.FlushAsync();
            return (file, bytes);
        }
    }

    /// <summary>A file of holes.</summary>
    public MappedFile OpenNew(string name, int length)
    {
        if (Engine is not null)
        {
            return Volume.OpenFile(Engine.Create(length), length, NewId(name));
        }

        var file = _cow!.CreateFile($"{name} {Interlocked.Increment(ref _ids)}");
        file.SetLength(length);
        return Volume.OpenFile(file, length, new FileOpenOptions { Id = file.Id, Name = name });
    }

    /// <summary>A file again that was closed.</summary>
    public MappedFile Reopen(MappedFile file, int length) =>
        Volume.OpenFile(file.Extents, length, new FileOpenOptions { Id = file.Id, Name = file.Name });

    /// <summary>What a crash would leave of a file; null if only a recovery could tell.</summary>
    public byte[]? DurableOf(MappedFile file) =>
        Engine is null ? null : PageEngine.Durable((PageEngine.PageFile)file.Extents, _disk.Bytes);

    /// <summary>Something is done when the engine or the device is next called by a name.</summary>
    public void At(string moment, Action act)
    {
        lock (_moments)
        {
            if (!_moments.TryGetValue(moment, out var queue))
            {
                _moments.Add(moment, queue = new Queue<Action>());
            }

            queue.Enqueue(act);
        }
    }

    public void ForgetMoments()
    {
        lock (_moments)
        {
            _moments.Clear();
        }
    }

    /// <summary>Everything clean leaves the cache.</summary>
    public void Sweep()
    {
        using (FaultPlan.Spare())
        {
            var bytes = new byte[_ballastPages * Layout.PageSize];
            Demand(_ballast.Read(0, bytes) == bytes.Length && _ballast.Read(0, bytes) == bytes.Length, "the ballast is read");
        }
    }

    /// <summary>Leases pages of the other volume as long as any can be had.</summary>
    public List<IDisposable> Occupy()
    {
        var leases = new List<IDisposable>();
        var page = new byte[1];
        for (var i = 0; i < _ballastPages && Figures.LeasedFrames < Figures.LeaseLimit; i++)
        {
            _ballast.Read((long)i * Layout.PageSize, page);
            if (_ballast.TryRead((long)i * Layout.PageSize, page, out _))
            {
                leases.Add(_ballast.PinAsync((long)i * Layout.PageSize).AsTask().GetAwaiter().GetResult());
            }
        }

        return leases;
    }

    /// <summary>Overwrites the block under a page in place, past the cache, as an engine may; the bytes, or null if there is no block.</summary>
    public byte[]? WriteDirectly(MappedFile file, int page, byte fill)
    {
        if (BlockOf(file, page) is not { } run)
        {
            return null;
        }

        var bytes = new byte[run.Length];
        Array.Fill(bytes, fill);
        using (Volume.BeginDirectWrite(run))
        {
            bytes.CopyTo(_disk.Bytes[(int)run.Offset..]);
            _seal?.Forget(run.Offset / Layout.PageSize);
        }

        return bytes;
    }

    /// <summary>The engine moves the block under a page, if there is one.</summary>
    public void Move(MappedFile file, int page)
    {
        if (Engine is null || BlockOf(file, page) is not { } from || Engine.TakeSpare() is not { } block)
        {
            return;
        }

        var to = new BlockRun(block * Layout.PageSize, Layout.PageSize);
        _disk.Copy(from.Offset, from.Length).CopyTo(_disk.Bytes[(int)to.Offset..]);
        _seal?.Forget(block);
        Volume.Relocate(from, to);
        using (FaultPlan.Spare())
        {
            ((PageEngine.PageFile)file.Extents).Rebind(page, block);
        }

        file.InvalidateExtents(0, 0);
    }

    public byte[] ContentOf(BlockRun run) => _disk.Copy(run.Offset, run.Length);

    public BlockRun? BlockOf(MappedFile file, int page) =>
        Engine is not null && ((PageEngine.PageFile)file.Extents).Blocks.TryGetValue(page, out var block)
            ? new BlockRun(block * Layout.PageSize, Layout.PageSize)
            : null;

    /// <summary>Everything is flushed and healed: the engine keeps what is shown, and nothing else.</summary>
    public void CheckEngine(IEnumerable<(MappedFile File, byte[] Bytes)> files, bool isComplete)
    {
        if (_cow is not null)
        {
            var report = _cow.Check();
            Demand(report.IsClean, $"the volume is damaged: {string.Join("; ", report.Violations)}");
        }
        else if (isComplete)
        {
            var shown = files.SelectMany(static pair => ((PageEngine.PageFile)pair.File.Extents).Blocks.Values).Distinct().Count();
            Demand(shown == Engine!.BlocksInUse, $"{Engine.BlocksInUse} blocks are in use, and {shown} are shown");
        }
    }

    /// <summary>After everything was closed: what the example engine finds on the disk when it is opened again.</summary>
    public void CheckDisk(IReadOnlyDictionary<string, byte[]> named)
    {
        if (_cow is null)
        {
            return;
        }

        Volume.Dispose();
        _cow.Dispose();
        using var again = CowVolume.Open(_disk);
        using var cache = new PageCache(new PageCacheOptions { PageSize = Layout.PageSize, ExactFrameCount = 32, HugePages = false });
        using var attached = again.Attach(cache);
        foreach (var entry in again.Files.Where(entry => named.ContainsKey(entry.Name)))
        {
            using var map = again.OpenFile(entry.Name);
            using var file = attached.OpenFile(map, map.Length);
            var bytes = new byte[map.Length];
            file.Read(0, bytes);
            Demand(bytes.AsSpan().SequenceEqual(named[entry.Name]), $"{entry.Name} differs after opening again");
        }
    }

    /// <summary>The name of a file in the example engine's directory, as long as it has one.</summary>
    public static string? NameOnDisk(MappedFile file) => (file.Extents as CowFile)?.Name;

    public void Dispose()
    {
        Cache.Dispose();
        _cow?.Dispose();
    }

    internal static void Demand(bool isTrue, string what)
    {
        if (!isTrue)
        {
            throw new InvalidOperationException(what);
        }
    }

    private void Reach(string call)
    {
        Action act;
        lock (_moments)
        {
            if (!_moments.TryGetValue(call, out var queue) || !queue.TryDequeue(out act!))
            {
                return;
            }
        }

        act();
    }

    /// <summary>Checksums of blocks, kept beside the device.</summary>
    private sealed class BlockSeal(FaultPlan plan) : IPageSeal
    {
        private readonly Dictionary<long, int> _sums = [];

        public bool Verify(PhysicalBlock block, ReadOnlySpan<byte> page)
        {
            if (plan.Strike("Verify") is not null)
            {
                return false;
            }

            lock (_sums)
            {
                return !_sums.TryGetValue(block.Number, out var sum) || sum == SumOf(page);
            }
        }

        /// <summary>The block is written past the cache.</summary>
        public void Forget(long block)
        {
            lock (_sums)
            {
                _sums.Remove(block);
            }
        }

        public void Seal(PhysicalBlock block, Span<byte> page)
        {
            plan.Call("Seal");
            lock (_sums)
            {
                _sums[block.Number] = SumOf(page);
            }
        }

        private static int SumOf(ReadOnlySpan<byte> page)
        {
            var sum = new HashCode();
            sum.AddBytes(page);
            return sum.ToHashCode();
        }
    }
}
