using System.Buffers;
using SharedPageCache.Stress.Storms;
using SharedPageCache.Stress.Support;
using Xunit.Abstractions;

namespace SharedPageCache.Stress;

/// <summary>
/// Fault enumeration in the manner of SQLite (T2, reading): each scenario is run again with its n-th call of the device or
/// the engine failing, n = 1, 2, … until it runs clean; once, and forever after. Then everything is healed, read and
/// compared. I8: what is injected surfaces as the documented exception or is healed by a counted retry.
/// </summary>
public sealed class FaultEnumerationTests(ITestOutputHelper output)
{
    private static readonly Fault[] Faults = Enum.GetValues<Fault>();

    private enum Fault
    {
        Throws,
        ReadsNothing,
        ReadsShort,
        ReadsHalfABlock,
        ReadsNegative,
        ReadsTooMuch,
        IsCancelled,
    }

    private static readonly Dictionary<string, Func<Rig, Task>> Stories = new()
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

    public static TheoryData<int, int> Sizes => new() { { 4096, 4096 }, { 4096, 512 }, { 512, 1024 } };

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task Every_call_that_can_fail_fails_once_and_forever(int page, int block)
    {
        var (scenarios, runs, faults, errors) = (0, 0, 0, 0);
        var dice = new Dice(Soak.Seed());
        foreach (var (name, story) in Stories)
        {
            foreach (var isAsync in new[] { false, true })
            {
                scenarios++;
                foreach (var fault in Faults)
                {
                    foreach (var forever in new[] { false, true })
                    {
                        // The plain failure at every call; its variants at every third or so, unless the whole is asked for.
                        for (var n = 1; ; n += fault == Fault.Throws || Soak.Scale > 1 ? 1 : dice.From(1, 5))
                        {
                            runs++;
                            var what = $"{name} ({(isAsync ? "asynchronous" : "synchronous")} device), page {page}, block {block}: call {n} {fault}{(forever ? " and all after it" : "")}";
                            var (struck, failed) = await RunAsync(story, page, block, fault, forever, n, isAsync, what);
                            faults += struck;
                            errors += failed ? 1 : 0;
                            if (struck == 0)
                            {
                                break;
                            }

                            Assert.True(n < 500, $"{what}: does not end");
                        }
                    }
                }
            }
        }

        Soak.Report(output, $"Fault enumeration, page {page}, block {block}", $"{scenarios} scenarios, {runs} runs, {faults} faults, {errors} surfaced as exceptions");
        Assert.True(scenarios * Sizes.Count >= 40);
    }

    private static async Task<(int Struck, bool Failed)> RunAsync(
        Func<Rig, Task> story, int page, int block, Fault fault, bool forever, int n, bool isAsync, string what)
    {
        using var rig = new Rig(page, block);
        var calls = 0;
        var struck = 0;
        var isOn = true;
        bool Strikes() => Volatile.Read(ref isOn) && Interlocked.Increment(ref calls) is var call
            && (forever ? call >= n : call == n) && Interlocked.Increment(ref struck) > 0;

        rig.Device.OnRead = run => Strikes() ? Strike(fault, rig.Device.BlockSize) : null;
        rig.Map.OnAsk = () =>
        {
            if (Strikes())
            {
                throw fault == Fault.IsCancelled ? new OperationCanceledException() : new IOException("the engine fails");
            }
        };
        if (isAsync)
        {
            rig.Device.Gate = static async () => await Task.Yield();
        }

        Exception? error = null;
        try
        {
            await story(rig).WaitAsync(TimeSpan.FromSeconds(120));
        }
        catch (Exception raised)
        {
            error = raised;
        }

        isOn = false;
        try
        {
            Assert.True(
                error is null or PageLoadException or ExtentMapException,
                $"an undocumented exception: {error}");
            Assert.False(error is not null && struck == 0, $"an exception without a fault: {error}");

            // Loads that nobody waits for end first: who joined one of them would rightly get its error.
            rig.WaitForLoads();

            // Healed: all reads right, nothing is left behind.
            rig.Map.AssertReads(rig.Device, rig.File);
            rig.Map.AssertReads(rig.Device, rig.Stranger);
            ((PlainMap)rig.Clone.Extents).AssertReads(rig.Device, rig.Clone);
            rig.Close();
        }
        catch (Exception failure)
        {
            throw new InvalidOperationException($"{what}: {failure.Message}", failure);
        }

        return (struck, error is not null);
    }

    private static int? Strike(Fault fault, int block) => fault switch
    {
        Fault.Throws => throw new IOException("EIO"),
        Fault.IsCancelled => throw new OperationCanceledException("a device that cancels"),
        Fault.ReadsNothing => 0,
        Fault.ReadsShort => block,
        Fault.ReadsHalfABlock => block / 2,
        Fault.ReadsNegative => -block,
        _ => int.MaxValue,
    };

    /// <summary>A small cache with a file of every kind of page, a clone and a stranger.</summary>
    private sealed class Rig : IDisposable
    {
        public Rig(int page, int block)
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
    }
}
