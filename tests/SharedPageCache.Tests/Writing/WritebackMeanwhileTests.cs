using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>What happens to a file while its pages are on their way to the device, and what is told to whom when a step fails.</summary>
public class WritebackMeanwhileTests
{
    private const int Page = 4096;

    public static TheoryData<string> Steps => new("EnsureDurable", "Place", "write", "flush", "Publish");

    [Theory]
    [Trait("Row", "E5")]
    [Trait("Contract", "C7")]
    [MemberData(nameof(Steps))]
    public async Task Nothing_is_clean_before_every_step_has_succeeded(string step)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        using var clone = file.Clone();
        var before = Read(file, 0, 4 * Page);
        file.Write(0, Bytes(1, 3 * Page), new Lsn(7));
        void Fail() => throw new IOException($"{step} is broken.");
        cache.Engine.Before = port =>
        {
            if (port == step)
            {
                Fail();
            }
        };
        cache.Device.BeforeWrite = step == "write" ? _ => throw new IOException("write is broken.") : null;
        cache.Device.BeforeFlush = step == "flush" ? Fail : null;
        for (var attempt = 0; attempt < 2; attempt++)
        {
            var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
            Assert.Equal(step, error.Step);
            Assert.Contains("is broken", error.ToString());
            Assert.Equal(3 * Page, cache.Figures.DirtyBytes);
            Assert.Equal(before, cache.DurableOf(file));
            cache.Cache.Verify();
        }

        // What was placed for it was given back, and is used again.
        (cache.Engine.Before, cache.Device.BeforeWrite, cache.Device.BeforeFlush) = (null, null, null);
        await file.FlushAsync();
        Assert.Equal([.. Bytes(1, 3 * Page), .. before[(3 * Page)..]], cache.DurableOf(file));
        Assert.Equal(before, Read(clone, 0, 4 * Page));
        Assert.Equal((0L, 7), (cache.Figures.DirtyBytes, cache.Engine.BlocksInUse));
    }

    public static TheoryData<string> Events => new("clone", "write", "whole write", "shorter", "longer", "hole", "close", "delete", "range from", "range to", "merge", "lease");

    [Theory]
    [Trait("Row", "E2")]
    [Trait("Contract", "C6")]
    [MemberData(nameof(Events))]
    public async Task Whatever_comes_during_a_write_back_every_file_is_durable_as_it_reads(string what)
    {
        foreach (var step in new[] { "Place", "write", "flush" })
        {
            using var cache = new WriteCache(frames: 256);
            var file = cache.Volume.OpenFile(cache.Engine.CreateMapped(8), 8 * Page, new FileOpenOptions { Id = FileId.FromNumber(1) });
            var (other, branch) = (cache.OpenMapped(8), cache.Own(file.Clone()));
            var extents = (PageEngine.PageFile)file.Extents;
            file.Write(Page, Bytes(1, 4 * Page));
            other.Write(2 * Page, Bytes(2, Page));
            branch.Write(6 * Page, Bytes(3, Page));
            var files = new List<MappedFile> { other, branch };
            var isDone = false;
            Task MeanwhileAsync()
            {
                if (!isDone)
                {
                    isDone = true;
                    Do();
                }

                return Task.CompletedTask;
            }

            if (step == "Place")
            {
                cache.Engine.DuringPlace = MeanwhileAsync;
            }
            else if (step == "write")
            {
                cache.Device.BeforeWrite = _ => MeanwhileAsync();
            }
            else
            {
                cache.Device.BeforeFlush = () => MeanwhileAsync();
            }

            await cache.Volume.FlushAsync();
            Assert.True(isDone);
            (cache.Engine.DuringPlace, cache.Device.BeforeWrite, cache.Device.BeforeFlush) = (null, null, null);
            cache.Cache.Verify();
            await cache.Volume.FlushAsync();
            Assert.Equal(0, cache.Figures.DirtyBytes);
            if (what == "close")
            {
                Assert.Equal(Bytes(1, 4 * Page), PageEngine.Durable(extents, cache.Device.Bytes)[Page..(5 * Page)]);
            }
            else if (what == "delete")
            {
                Assert.True(extents.IsDeleted);
            }
            else
            {
                files.Add(cache.Own(file));
            }

            foreach (var each in files)
            {
                Assert.Equal(Read(each, 0, 9 * Page), cache.DurableOf(each)[..(int)each.Length]);
            }

            void Do()
            {
                switch (what)
                {
                    case "clone":
                        files.Add(cache.Own(file.Clone()));
                        files[^1].Write(2 * Page, Bytes(9, 10));
                        break;
                    case "write":
                        file.Write(Page + 10, Bytes(4, 2 * Page));
                        break;
                    case "whole write":
                        file.Write(2 * Page, Bytes(4, Page));
                        break;
                    case "shorter":
                        file.SetLength((2 * Page) + 7);
                        break;
                    case "longer":
                        file.SetLength((8 * Page) + 5);
                        break;
                    case "hole":
                        file.PunchHole(2 * Page, 2 * Page);
                        break;
                    case "close":
                        file.Dispose();
                        break;
                    case "delete":
                        file.Delete();
                        break;
                    case "range from":
                        other.CloneRange(file, Page, 4 * Page, 3 * Page);
                        break;
                    case "range to":
                        file.CloneRange(other, 0, 2 * Page, 3 * Page);
                        break;
                    case "merge":
                        using (var work = file.Clone())
                        {
                            work.Write(3 * Page, Bytes(5, Page));
                            work.MergeInto(file);
                        }

                        break;
                    default:
                        Assert.True(file.TryLeaseForWrite(2 * Page, out var lease));
                        lease.Span.Fill(8);
                        lease.Commit();
                        lease.Dispose();
                        break;
                }
            }
        }
    }

    [Fact]
    [Trait("Row", "E1")]
    public async Task What_was_placed_and_is_not_wanted_any_more_is_given_back()
    {
        using var cache = new WriteCache();
        var (file, gone) = (cache.OpenNew(4 * Page), cache.OpenNew(4 * Page));
        file.Write(0, Bytes(1, 4 * Page));
        gone.Write(0, Bytes(2, 2 * Page));
        cache.Engine.DuringPlace = () =>
        {
            cache.Engine.DuringPlace = null;
            gone.Delete();
            file.SetLength(Page);
            return Task.CompletedTask;
        };
        await cache.Volume.FlushAsync();
        Assert.Equal(1, cache.Engine.Published.Sum(static published => published.Run.Length / Page));
        Assert.Equal(5, cache.Engine.Abandoned.Sum(static run => run.Length / Page));
        Assert.Equal(1, cache.Engine.BlocksInUse);
        Assert.Equal(Bytes(1, 4 * Page)[..Page], cache.DurableOf(file));
    }

    [Fact]
    [Trait("Row", "B9")]
    public void The_engine_is_told_again_if_more_became_shared_while_it_was_told()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        cache.Own(file.Clone());
        var told = 0;
        cache.Engine.Before = port =>
        {
            if (port == "BeforeUnshare" && ++told <= 3)
            {
                cache.Own(file.Clone());
            }
        };
        file.Write(10, Bytes(1, 20));
        Assert.Equal(4, told);
        file.Write(30, Bytes(1, 20));
        Assert.Equal(4, told);
    }

    [Fact]
    [Trait("Row", "E5")]
    [Trait("Contract", "C7")]
    public async Task A_failure_in_the_background_is_told_once_to_each_who_shows_the_page_and_to_clones_made_before_it_was_told()
    {
        using var cache = new WriteCache(dirtyAge: TimeSpan.FromMilliseconds(10));
        var file = cache.OpenNew(4 * Page);
        file.Write(0, Bytes(1, Page));
        var sharer = cache.Own(file.Clone());
        var stranger = cache.OpenNew(4 * Page);
        var isBroken = true;
        cache.Device.BeforeWrite = _ => Volatile.Read(ref isBroken) ? throw new IOException("the disk is broken.") : Task.CompletedTask;
        Bounded.Until(() => cache.Figures.WritebackFailures > 0, "the background writer has failed");
        Volatile.Write(ref isBroken, false);
        Bounded.Until(() => cache.Figures.DirtyBytes == 0, "the background writer has succeeded");

        // All is durable by now, and all the same each hears of it, once.
        var heir = cache.Own(file.Clone());
        await stranger.FlushAsync();
        foreach (var each in new[] { file, sharer, heir })
        {
            var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await each.FlushAsync());
            Assert.Contains("in the background", error.Message);
            Assert.Contains("the disk is broken", error.ToString());
            await each.FlushAsync();
        }

        using var late = file.Clone();
        await late.FlushAsync();
        Assert.Equal(Bytes(1, Page), cache.DurableOf(file)[..Page]);
    }

    [Fact]
    [Trait("Row", "B6")]
    [Trait("Row", "B12")]
    public void The_first_write_after_a_clone_copies_one_path_whatever_else_the_file_has_in_memory()
    {
        const int small = 512;
        var costs = new List<(long First, long Second, long Other)>();
        foreach (var windows in new[] { 4, 64 })
        {
            using var cache = new WriteCache(frames: 512, pageSize: small, deviceLength: 1 << 20);
            const long length = 1L << 30;
            var file = cache.OpenNew(length);
            for (var i = 0; i < windows; i++)
            {
                // Far apart: each has a node of its own above it.
                file.Write(i * (length / windows), Bytes(i, 10));
            }

            using var clone = file.Clone();

            // What was left behind on the way here is booked until it is collected: not while this is measured.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            var before = cache.Figures.MetadataBytes;
            clone.Write(100, Bytes(1, 10));
            var first = cache.Figures.MetadataBytes - before;
            clone.Write(9 * small, Bytes(1, 10));
            var second = cache.Figures.MetadataBytes - before - first;
            clone.Write(length / windows, Bytes(1, 10));
            costs.Add((first, second, cache.Figures.MetadataBytes - before - first - second));
        }

        // A leaf and the nodes above it, and what a file that is written has for itself: sixteen times as many windows in memory add nothing of their own.
        Assert.All(costs, cost => Assert.InRange(cost.First, 1, 20_000));
        Assert.InRange(costs[1].First, 1, costs[0].First + 1024);
        Assert.All(costs, cost => Assert.InRange(cost.Second, 0, 64));
        Assert.All(costs, cost => Assert.InRange(cost.Other, 1, cost.First));
    }
}
