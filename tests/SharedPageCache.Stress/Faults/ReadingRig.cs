using System.Buffers;
using SharedPageCache.Stress.Storms;
using SharedPageCache.Stress.Support;
using SharedPageCache.TestKit.Faults;

namespace SharedPageCache.Stress.Faults;

/// <summary>A small cache with a file of every kind of page, a clone and a stranger.</summary>
internal sealed class ReadingRig : IDisposable
{
    public static readonly Dictionary<string, Func<ReadingRig, Task>> Stories = new()
    {
        ["read all"] = rig => rig.Sync(() => rig.Map.AssertReads(rig.Device, rig.File)),
        ["read a byte"] = rig => rig.Sync(() => rig.Map.AssertReads(rig.Device, rig.File, 3, 1)),
        ["read the tail"] = rig => rig.Sync(() => rig.Map.AssertReads(rig.Device, rig.File, rig.File.Length - 5)),
        ["read all, awaiting"] = rig => rig.ReadAsync(rig.File),
        ["three readers at once"] = rig => Task.WhenAll(rig.ReadAsync(rig.File), rig.ReadAsync(rig.Clone), rig.ReadAsync(rig.Stranger)),
        ["prefetch, then read"] = async rig =>
        {
            await rig.File.PrefetchAsync(0, rig.File.Length);
            rig.Map.AssertReads(rig.Device, rig.Stranger);
        },
        ["lease a page"] = async rig =>
        {
            using var lease = await rig.File.PinAsync(rig.Page);
            rig.Map.AssertContent(rig.Device, rig.Page, lease.Memory.Span);
        },
        ["lease a range"] = async rig =>
        {
            using var range = await rig.File.PinRangeAsync(0, 3 * rig.Page);
            rig.Map.AssertContent(rig.Device, 0, range.Sequence.ToArray());
        },
        ["clone of a clone"] = async rig =>
        {
            using var clone = rig.Clone.Clone();
            using var second = clone.Clone();
            await rig.ReadAsync(second);
            await rig.ReadAsync(clone);
        },
        ["stream"] = async rig =>
        {
            using var stream = rig.File.OpenStream();
            var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes, 5000);
            rig.Map.AssertContent(rig.Device, 0, bytes.ToArray());
        },
        ["pipe"] = async rig =>
        {
            var reader = rig.File.OpenPipeReader();
            try
            {
                for (var offset = 0L; ;)
                {
                    var result = await reader.ReadAsync();
                    rig.Map.AssertContent(rig.Device, offset, result.Buffer.ToArray());
                    offset += result.Buffer.Length;
                    reader.AdvanceTo(result.Buffer.End);
                    if (result.IsCompleted)
                    {
                        return;
                    }
                }
            }
            finally
            {
                reader.Complete();
            }
        },
        ["discard between reads"] = rig => rig.Sync(() =>
        {
            rig.Map.AssertReads(rig.Device, rig.File);
            rig.Device.Renew(rig.FirstBlock);
            rig.Volume.Discard(new BlockRun((long)rig.FirstBlock * rig.Device.BlockSize, rig.Device.BlockSize));
            rig.Map.AssertReads(rig.Device, rig.Clone);
        }),
        ["extents change between reads"] = rig => rig.Sync(() =>
        {
            rig.Map.AssertReads(rig.Device, rig.File);
            rig.Map.Change([.. rig.Map.Extents.Select(extent => extent.ReadsZero || extent.IsOpaque
                ? extent
                : extent with { PhysicalOffset = extent.PhysicalOffset + 64L * rig.Device.BlockSize })]);
            rig.File.InvalidateExtents(0, rig.File.Length);
            rig.Stranger.InvalidateExtents(0, rig.File.Length);
            rig.Map.AssertReads(rig.Device, rig.File);
            rig.Map.AssertReads(rig.Device, rig.Stranger);
        }),
        ["read with all frames leased"] = async rig =>
        {
            var leases = new List<PageMemoryLease>();
            try
            {
                for (var page = 0; page < rig.Cache.GetStatistics().LeaseLimit && page < 3; page++)
                {
                    leases.Add(await rig.File.PinAsync(page * rig.Page));
                }

                rig.Map.AssertReads(rig.Device, rig.Clone);
            }
            finally
            {
                leases.ForEach(lease => lease.Dispose());
            }
        },
        ["cold read through a second handle"] = async rig =>
        {
            using var handle = rig.Volume.OpenFile(rig.Map, rig.File.Length, new FileOpenOptions { Id = FileId.FromNumber(9) });
            using var second = rig.Volume.OpenFile(rig.Map, rig.File.Length, new FileOpenOptions { Id = FileId.FromNumber(9) });
            await Task.WhenAll(rig.ReadAsync(handle), rig.ReadAsync(second));
        },
    };

    public ReadingRig(int page, int block, bool isAsync, FaultPlan plan)
    {
        Page = page;
        var unit = Math.Max(page, block);
        Device = new PlainDevice(block, 256 * unit / block);
        Cache = new PageCache(new PageCacheOptions { PageSize = page, ExactFrameCount = 8, MaxReadAheadPages = 4 });
        Volume = Cache.AttachVolume(Device);
        FirstBlock = 2 * unit / block;

        // A run, a hole, a page of two pieces (where blocks are smaller than pages), an opaque page, another run, a tail.
        Map = new PlainMap(
            new Extent(0, 4 * unit, 2 * unit),
            Extent.Hole(4 * unit, unit),
            new Extent(5 * unit, block, 20 * unit),
            new Extent(5 * unit + block, unit, 30 * unit),
            new Extent(7 * unit, unit, 0, ExtentFlags.Opaque),
            new Extent(8 * unit, 3 * unit, 40 * unit));
        var length = 10 * unit + 100;
        File = Volume.OpenFile(Map, length);
        Stranger = Volume.OpenFile(Map, length);
        Clone = File.Clone();
        Device.OnRead = _ => plan.Strike("read") is { } kind ? Deliver(kind, block) : null;
        Map.OnAsk = () => plan.Call("GetExtents");
        if (isAsync)
        {
            Device.Gate = static async () => await Task.Yield();
        }
    }

    public int Page { get; }

    public int FirstBlock { get; }

    public PlainDevice Device { get; }

    public PlainMap Map { get; }

    public PageCache Cache { get; }

    public CachedVolume Volume { get; }

    public MappedFile File { get; }

    public MappedFile Clone { get; }

    public MappedFile Stranger { get; }

    public Task Sync(Action act)
    {
        act();
        return Task.CompletedTask;
    }

    public async Task ReadAsync(MappedFile file)
    {
        var buffer = new byte[file.Length + 10];
        Assert.Equal(file.Length, await file.ReadAsync(0, buffer));
        ((PlainMap)file.Extents).AssertContent(Device, 0, buffer.AsSpan(0, (int)file.Length));
    }

    public void Close()
    {
        WaitForLoads();
        Cache.Verify();
        File.Dispose();
        Clone.Dispose();
        Stranger.Dispose();
        Assert.Equal(0, Cache.GetStatistics().OpenFiles);
        Volume.Dispose();
        Cache.Verify();
        Assert.Equal(0, Cache.GetStatistics().ResidentBytes);
    }

    public void WaitForLoads() => Assert.True(
        SpinWait.SpinUntil(() => Words.PinsOf(Cache) == 0, 10_000), $"pins are left: {Words.OfFrames(Cache)}");

    public void Dispose() => Cache.Dispose();

    /// <summary>One story: whatever fails, what is read is right, and after it everything is.</summary>
    public static async Task RunAsync(Func<ReadingRig, Task> story, int page, int block, bool isAsync, FaultPlan plan)
    {
        using var rig = new ReadingRig(page, block, isAsync, plan);
        try
        {
            await story(rig).WaitAsync(TimeSpan.FromSeconds(120));
        }
        catch (Exception error) when (error is PageLoadException or ExtentMapException && plan.Struck > 0)
        {
            // As it is documented (I8).
        }

        plan.Heal();

        // Loads that nobody waits for end first: who joined one of them would rightly get its error.
        rig.WaitForLoads();
        rig.Map.AssertReads(rig.Device, rig.File);
        rig.Map.AssertReads(rig.Device, rig.Stranger);
        ((PlainMap)rig.Clone.Extents).AssertReads(rig.Device, rig.Clone);
        rig.Close();
    }

    /// <summary>How many bytes the device says that it has read.</summary>
    private static int Deliver(FaultKind kind, int block) => kind switch
    {
        FaultKind.Throws or FaultKind.NoSpace => throw new InjectedFaultException("read"),
        FaultKind.CancelsItself => throw new OperationCanceledException("a device that cancels"),
        FaultKind.TransfersNothing => 0,
        FaultKind.TransfersShort => block,
        FaultKind.TransfersHalfABlock => block / 2,
        FaultKind.AnswersBelowZero => -block,
        _ => int.MaxValue,
    };
}
