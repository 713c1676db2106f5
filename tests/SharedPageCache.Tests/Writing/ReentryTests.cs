using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>
/// What engine code may call from where: the table of docs/engine-guide.md, row by row. What may not is refused with an
/// exception that names both, and nothing hangs.
/// </summary>
public class ReentryTests
{
    private const int Page = 4096;

    private static readonly string[] Hooks = ["Clone", "SetLength", "PunchHole", "Delete", "CloneRange", "ReplaceWith", "Publish", "Abandon"];

    private static readonly Dictionary<string, Func<Stage, Task>> Refused = new()
    {
        ["Write"] = Now(stage => stage.File.Write(0, new byte[10])),
        ["Write (another file)"] = Now(stage => stage.Other.Write(0, new byte[10])),
        ["WriteAsync"] = stage => stage.File.WriteAsync(0, new byte[10]).AsTask(),
        ["Read"] = Now(stage => stage.Other.Read(3 * Page, new byte[10])),
        ["ReadAsync"] = stage => stage.Other.ReadAsync(3 * Page, new byte[10]).AsTask(),
        ["PinAsync"] = stage => stage.Other.PinAsync(3 * Page).AsTask(),
        ["PinRangeAsync"] = stage => stage.Other.PinRangeAsync(0, 4 * Page).AsTask(),
        ["PrefetchAsync"] = stage => stage.Other.PrefetchAsync(0, 4 * Page).AsTask(),
        ["TryLeaseForWrite"] = Now(stage => stage.Other.TryLeaseForWrite(0, out _)),
        ["LeaseForWriteAsync"] = stage => stage.File.LeaseForWriteAsync(Page).AsTask(),
        ["Commit"] = Now(stage => stage.Lease.Commit()),
        ["CommitAsync"] = stage => stage.Lease.CommitAsync().AsTask(),
        ["Clone"] = Now(stage => stage.File.Clone()),
        ["CloneAsync"] = stage => stage.Other.CloneAsync().AsTask(),
        ["SetLength"] = Now(stage => stage.File.SetLength(0)),
        ["SetLengthAsync"] = stage => stage.Other.SetLengthAsync(9 * Page).AsTask(),
        ["PunchHoleAsync"] = stage => stage.Other.PunchHoleAsync(0, Page).AsTask(),
        ["PunchHole"] = Now(stage => stage.File.PunchHole(0, Page)),
        ["ZeroRange"] = Now(stage => stage.Other.ZeroRange(0, Page)),
        ["CloneRange"] = Now(stage => stage.File.CloneRange(stage.Other, 0, 0, Page)),
        ["DedupeAsync"] = stage => stage.Other.DedupeAsync(stage.File, 0, 0, Page).AsTask(),
        ["MergeInto"] = Now(stage => stage.File.MergeInto(stage.Other)),
        ["DiffPages"] = Now(stage => stage.File.DiffPages(stage.Other)),
        ["RepairAsync"] = stage => stage.Cache.Volume.RepairAsync(new BlockRun(300 * Page, Page), new byte[Page]).AsTask(),
        ["WriteAroundAsync"] = stage => stage.Other.WriteAroundAsync(0, new byte[Page]).AsTask(),
        ["Delete"] = Now(stage => stage.Other.Delete()),
        ["Seal"] = Now(stage => stage.Other.Seal()),
        ["OpenFile (sealed, by id)"] = Now(stage =>
            stage.Cache.Volume.OpenFile(stage.File.Extents, Page, new FileOpenOptions { Id = FileId.FromNumber(99), IsSealed = true })),
        ["InvalidateExtents"] = Now(stage => stage.File.InvalidateExtents(0, Page)),
        ["FlushAsync"] = stage => stage.File.FlushAsync().AsTask(),
        ["FlushAsync (the volume)"] = stage => stage.Cache.Volume.FlushAsync().AsTask(),
        ["FlushAsync (the cache)"] = stage => stage.Cache.Cache.FlushAsync().AsTask(),
        ["Dispose"] = Now(stage => stage.Other.Dispose()),
        ["DisposeAsync"] = stage => stage.Other.DisposeAsync().AsTask(),
        ["Dispose (the volume)"] = Now(stage => stage.Cache.Volume.Dispose()),
        ["DisposeAsync (the volume)"] = stage => stage.Cache.Volume.DisposeAsync().AsTask(),
        ["Dispose (the cache)"] = Now(stage => stage.Cache.Cache.Dispose()),
        ["DisposeAsync (the cache)"] = stage => stage.Cache.Cache.DisposeAsync().AsTask(),
    };

    private static readonly Dictionary<string, Action<Stage>> Allowed = new()
    {
        ["Discard"] = stage => stage.Cache.Volume.Discard(new BlockRun(300 * Page, Page)),
        ["Relocate"] = stage => stage.Cache.Volume.Relocate(new BlockRun(300 * Page, Page), new BlockRun(301 * Page, Page)),
        ["FindReferences"] = stage => Assert.NotEmpty(stage.Cache.Volume.FindReferences(new BlockRun(0, 16 * Page))),
        ["TryRead"] = stage => Assert.True(stage.Other.TryRead(0, new byte[10], out _)),
        ["Read in memory"] = stage => Assert.Equal(10, stage.Other.Read(2 * Page, new byte[10])),
        ["TryPin"] = stage =>
        {
            Assert.True(stage.Other.TryPin(Page, out var lease));
            lease.Dispose();
        },
        ["OpenFile"] = stage => stage.Cache.OpenNew(Page),
        ["GetStatistics"] = stage => Assert.True(stage.Cache.Figures.DirtyBytes >= 0),
        ["end of a write lease"] = stage => stage.Lease.Dispose(),
    };

    public static TheoryData<string, string> HooksAndRefused()
    {
        var data = new TheoryData<string, string>();
        foreach (var hook in Hooks)
        {
            foreach (var member in Refused.Keys)
            {
                data.Add(hook, member);
            }
        }

        return data;
    }

    public static TheoryData<string> HookNames() => [.. Hooks];

    [Theory]
    [MemberData(nameof(HooksAndRefused))]
    [Trait("Contract", "C9")]
    public async Task A_hook_that_calls_the_cache_is_told_so_and_does_not_hang(string hook, string member)
    {
        using var stage = new Stage();
        Exception? refusal = null;
        await stage.RunAsync(hook, async () => refusal = await Record.ExceptionAsync(() => Refused[member](stage)));
        var error = Assert.IsType<InvalidOperationException>(refusal);
        Assert.Contains($".{hook}", error.Message, StringComparison.Ordinal);
        Assert.Contains(member.Split(' ')[0], error.Message, StringComparison.Ordinal);

        // It is refused there and then only.
        stage.Other.Write(5, new byte[] { 1, 2 });
        await stage.Cache.Volume.FlushAsync().Within();
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task An_engine_that_calls_the_cache_when_a_write_around_gives_back_its_places_is_told_so()
    {
        using var cache = new WriteCache();
        var (file, other) = (cache.OpenMapped(4), cache.OpenMapped(4));
        Exception? refusal = null;
        cache.Engine.Before = call => refusal ??= call == "Abandon" ? Record.Exception(() => other.Write(0, new byte[10])) : null;
        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        await Task.Run(() => Assert.ThrowsAsync<CacheWritebackException>(() => file.WriteAroundAsync(0, new byte[Page]).AsTask())).Within();
        Assert.Contains(".Abandon", Assert.IsType<InvalidOperationException>(refusal).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(HookNames))]
    [Trait("Contract", "C9")]
    public async Task A_hook_may_call_what_takes_no_gate_and_no_binding_lock(string hook)
    {
        using var stage = new Stage();
        foreach (var (name, call) in Allowed)
        {
            var refusal = Record.Exception(() => { });
            var isCalled = false;
            await stage.RunAsync(hook, () =>
            {
                isCalled = true;
                refusal = Record.Exception(() => call(stage));
                return Task.CompletedTask;
            });
            Assert.True(isCalled && refusal is null, $"{name} in {hook}: {refusal}");
        }
    }

    [Fact]
    public async Task What_a_hook_throws_for_it_reaches_the_caller_and_nothing_has_changed()
    {
        using var stage = new Stage();
        stage.Cache.Engine.Before = call =>
        {
            if (call == "PunchHole")
            {
                stage.File.Write(0, new byte[10]);
            }
        };
        var before = WriteTests.Read(stage.File, 0, 4 * Page);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Task.Run(async () => await stage.File.PunchHoleAsync(0, Page)).Within());
        Assert.Equal(before, WriteTests.Read(stage.File, 0, 4 * Page));
        stage.Cache.Engine.Before = null;
        await stage.File.PunchHoleAsync(0, Page);
    }

    [Theory]
    [InlineData("EnsureDurable")]
    [InlineData("Place")]
    [InlineData("Persist")]
    [InlineData("write")]
    [InlineData("flush")]
    [Trait("Contract", "C9")]
    public async Task A_port_that_flushes_the_volume_that_waits_for_it_is_told_so(string port)
    {
        Func<Stage, Task>[] flushes =
        [
            stage => stage.Other.FlushAsync().AsTask(),
            stage => stage.Cache.Volume.FlushAsync().AsTask(),
            stage => stage.Cache.Cache.FlushAsync().AsTask(),
            stage => stage.Other.DisposeAsync().AsTask(),
            stage => Task.Run(() => stage.Other.FlushAsync().AsTask()),
            stage => Task.Run(async () => await stage.File.FlushAsync(0, Page)),
        ];
        foreach (var flush in flushes)
        {
            using var stage = new Stage();
            Exception? refusal = null;
            stage.DuringPort(port, () => refusal = Record.Exception(() => flush(stage).Wait(TimeSpan.FromSeconds(20))));
            await stage.File.FlushAsync().Within();
            var error = Assert.IsType<InvalidOperationException>(refusal is AggregateException { InnerException: { } inner } ? inner : refusal);
            Assert.Contains("FlushAsync", error.Message, StringComparison.Ordinal);
            await stage.Cache.Volume.FlushAsync().Within();
        }
    }

    [Theory]
    [InlineData("EnsureDurable")]
    [InlineData("Place")]
    [InlineData("Persist")]
    [Trait("Contract", "C9")]
    public async Task A_port_may_read_and_clone_and_write_what_needs_no_wait_and_flush_another_volume(string port)
    {
        using var stage = new Stage();
        using var second = stage.Cache.AttachSecond(out var log);
        Exception? refusal = new InvalidOperationException("not called");
        stage.DuringPort(port, () => refusal = Record.Exception(() => Task.Run(async () =>
        {
            await log.WriteAsync(0, WriteTests.Bytes(1, 100));
            await log.FlushAsync();
            await second.FlushAsync();
            Assert.Equal(10, await stage.Other.ReadAsync(3 * Page, new byte[10]));
            await stage.Other.WriteAsync(Page, new byte[10]);
            stage.Cache.Own(stage.Other.Clone());
            await stage.Other.PunchHoleAsync(0, Page);
            await stage.Other.SetLengthAsync(7 * Page);
            stage.Cache.Volume.Discard(new BlockRun(300 * Page, Page));
        }).Wait(TimeSpan.FromSeconds(20))));
        await stage.File.FlushAsync().Within();
        Assert.Null(refusal);
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Volumes_whose_logs_wait_for_each_other_are_told_so()
    {
        using var stage = new Stage();
        using var second = stage.Cache.AttachSecond(out var log);
        await log.WriteAsync(0, WriteTests.Bytes(1, 100), new Lsn(1));
        var engine = (PageEngine.PageFile)log.Extents;
        Exception? refusal = null;
        engine.Engine.Before = call =>
        {
            if (call == "EnsureDurable")
            {
                refusal = Record.Exception(() => stage.Other.FlushAsync().AsTask().Wait(TimeSpan.FromSeconds(20)));
            }
        };
        stage.DuringPort("EnsureDurable", () => log.FlushAsync().AsTask().Wait(TimeSpan.FromSeconds(40)));
        await stage.File.FlushAsync().Within();
        Assert.IsType<InvalidOperationException>(refusal is AggregateException { InnerException: { } inner } ? inner : refusal);
    }

    [Theory]
    [InlineData("room")]
    [InlineData("mark")]
    [InlineData("length")]
    [Trait("Contract", "C9")]
    public async Task A_port_that_writes_to_its_volume_and_would_wait_for_others_is_told_so(string need)
    {
        using var stage = new Stage();
        stage.Lease.Dispose();
        using var lease = need == "mark" ? await stage.Other.LeaseForWriteAsync(Page) : null;
        Exception? refusal = null;
        stage.DuringPort("Place", () => refusal = Record.Exception(() => Task.Run(async () =>
        {
            switch (need)
            {
                case "mark":
                    await stage.Other.WriteAsync(Page, new byte[10]);
                    break;
                case "length":
                    await stage.Other.SetLengthAsync((5 * Page) + 7);
                    await stage.Other.SetLengthAsync(6 * Page);
                    break;
                default:
                    for (var page = 0; page < 200; page++)
                    {
                        await stage.Large.WriteAsync(page * Page, new byte[Page]);
                    }

                    break;
            }
        }).Wait(TimeSpan.FromSeconds(20))));
        await stage.File.FlushAsync().Within();
        Assert.IsType<InvalidOperationException>(refusal is AggregateException { InnerException: { } inner } ? inner : refusal);
        lease?.Dispose();
        await stage.Cache.Volume.FlushAsync().Within();
    }

    [Fact]
    public async Task What_a_port_has_begun_and_not_awaited_may_flush_when_the_port_is_over()
    {
        using var stage = new Stage();
        var isOver = new TaskCompletionSource();
        var later = Task.CompletedTask;
        stage.DuringPort("Place", () => later = Task.Run(async () =>
        {
            await isOver.Task;
            await stage.Other.FlushAsync();
        }));
        await stage.File.FlushAsync().Within();
        stage.Other.Write(0, new byte[] { 3 });
        isOver.SetResult();
        await later.Within();
    }

    [Fact]
    [Trait("Row", "B9")]
    public async Task BeforeUnshare_may_flush_and_write_elsewhere_but_not_the_page_that_waits_for_it()
    {
        using var stage = new Stage();
        using var clone = stage.File.Clone();
        Exception? refusal = null;
        var isFirst = true;
        stage.Cache.Engine.Before = call =>
        {
            if (call == "BeforeUnshare" && isFirst)
            {
                isFirst = false;
                stage.Other.Write(Page, new byte[10]);
                stage.File.Write(Page, new byte[10]);
                stage.File.FlushAsync().AsTask().Wait(TimeSpan.FromSeconds(20));
                refusal = Record.Exception(() => Task.Run(() => stage.File.Write(5, new byte[10])).Wait(TimeSpan.FromSeconds(20)));
            }
        };
        await Task.Run(() => stage.File.Write(0, new byte[] { 7 })).Within();
        Assert.Equal(7, WriteTests.Read(stage.File, 0, 1)[0]);
        var error = Assert.IsType<InvalidOperationException>(Assert.IsType<AggregateException>(refusal).InnerException);
        Assert.Contains("BeforeUnshare", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("another page of the write")]
    [InlineData("a page of both ends of a range")]
    [InlineData("a page of the range's source")]
    [InlineData("the length that a range is going to change")]
    [InlineData("the length that is just being changed")]
    [InlineData("another page of a write around")]
    public async Task BeforeUnshare_is_refused_all_that_who_waits_for_it_keeps(string what)
    {
        using var stage = new Stage();
        using var clone = stage.Other.Clone();
        var (call, inside) = what switch
        {
            "another page of the write" => ((Action)(() => clone.Write(0, new byte[3 * Page])), (Action)(() => clone.Write(2 * Page, new byte[10]))),
            "a page of both ends of a range" => (() => clone.CloneRange(stage.Other, 100, 100, 3 * Page), () => clone.Write(3 * Page, new byte[10])),
            "a page of the range's source" => (() => clone.CloneRange(stage.Other, 100, 100, Page), () => stage.Other.Write(Page, new byte[10])),
            "the length that a range is going to change" => (() => clone.CloneRange(stage.Other, 100, 100, Page), () => clone.SetLength(9 * Page)),
            "the length that is just being changed" => (() => clone.SetLength(6 * Page), () => clone.PunchHole(0, Page)),
            _ => (() => clone.WriteAroundAsync(0, new byte[3 * Page]).AsTask().Wait(), () => clone.Write(2 * Page, new byte[10])),
        };
        if (what == "the length that is just being changed")
        {
            clone.SetLength((4 * Page) + 100);
        }

        Exception? refusal = null;
        var isFirst = true;
        stage.Cache.Engine.Before = port =>
        {
            if (port == "BeforeUnshare" && isFirst)
            {
                isFirst = false;
                refusal = Record.Exception(() => Task.Run(inside).Wait(TimeSpan.FromSeconds(20)));
            }
        };
        await Task.Run(call).Within();
        var error = Assert.IsType<InvalidOperationException>(Assert.IsType<AggregateException>(refusal).InnerException);
        Assert.Contains("BeforeUnshare", error.Message, StringComparison.Ordinal);
    }

    private static Func<Stage, Task> Now(Action<Stage> call) => stage =>
    {
        call(stage);
        return Task.CompletedTask;
    };

    /// <summary>A cache with some files, one of them dirty.</summary>
    private sealed class Stage : IDisposable
    {
        public Stage()
        {
            Cache = new WriteCache(frames: 64);
            (File, Other, Large) = (Cache.OpenMapped(4), Cache.OpenMapped(5), Cache.OpenNew(200 * Page));
            File.Write(0, WriteTests.Bytes(1, 2 * Page));
            WriteTests.Read(Other, 0, 3 * Page);
            Lease = Cache.Own(File.LeaseForWriteAsync(3 * Page).AsTask().GetAwaiter().GetResult());
        }

        public WriteCache Cache { get; }

        public MappedFile File { get; }

        public MappedFile Other { get; }

        public MappedFile Large { get; }

        public WriteLease Lease { get; }

        public void Dispose() => Cache.Dispose();

        /// <summary>Has a hook or callback called once, with something in it.</summary>
        public async Task RunAsync(string hook, Func<Task> inside)
        {
            var isOnce = true;
            Cache.Engine.Before = call =>
            {
                if (call == hook && isOnce)
                {
                    isOnce = false;
                    inside().Wait();
                }
            };
            await Task.Run(async () =>
            {
                switch (hook)
                {
                    case "Clone":
                        Cache.Own(File.Clone());
                        break;
                    case "SetLength":
                        File.SetLength(File.Length + Page);
                        break;
                    case "PunchHole":
                        await File.PunchHoleAsync(Page, Page);
                        break;
                    case "Delete":
                        Cache.OpenNew(Page).Delete();
                        break;
                    case "CloneRange":
                        File.CloneRange(Other, 0, 0, Page);
                        break;
                    case "ReplaceWith":
                        var branch = Cache.Own(Other.Clone());
                        branch.Write(0, new byte[] { 1 });
                        branch.MergeInto(Other);
                        break;
                    case "Publish":
                        File.Write(0, new byte[] { 1 });
                        await File.FlushAsync();
                        break;
                    default:
                        File.Write(0, new byte[] { 1 });
                        Cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
                        await Assert.ThrowsAsync<CacheWritebackException>(async () => await File.FlushAsync());
                        Cache.Device.BeforeWrite = null;
                        break;
                }
            }).Within();
            Assert.False(isOnce);
            Cache.Engine.Before = null;
        }

        /// <summary>Has something done in the next call of a port.</summary>
        public void DuringPort(string port, Action inside)
        {
            File.Write(0, WriteTests.Bytes(1, 100), new Lsn(1));
            var isOnce = true;
            void Once(string call)
            {
                if (call == port && isOnce)
                {
                    isOnce = false;
                    inside();
                }
            }

            Cache.Engine.Before = Once;
            Cache.Device.BeforeFlush = () => Once("flush");
            Cache.Device.BeforeWrite = _ =>
            {
                Once("write");
                return Task.CompletedTask;
            };
        }
    }
}
