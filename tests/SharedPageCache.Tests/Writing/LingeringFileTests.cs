using System.Runtime.CompilerServices;
using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Files that are closed while they have dirty pages, or while a write-back is under way: they go as soon as nothing of them is owed.</summary>
public class LingeringFileTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "E2")]
    public async Task What_has_nothing_dirty_goes_at_once_though_a_write_back_is_under_way()
    {
        using var cache = new WriteCache();
        var (file, clean) = (cache.OpenMapped(4), cache.OpenMapped(4));
        file.Write(0, Bytes(1, 2 * Page));
        var deleted = file.Clone();
        var (before, meanwhile, dirty) = (cache.Volume.OpenFiles, 0, 0);
        cache.Device.BeforeFlush = () =>
        {
            clean.Dispose();
            deleted.Delete();
            deleted.Dispose();
            using (var branch = file.Clone())
            {
                branch.Delete();
            }

            meanwhile = cache.Volume.OpenFiles;
            file.Clone().Dispose();
            dirty = cache.Volume.OpenFiles;
        };
        await file.FlushAsync();
        cache.Device.BeforeFlush = null;
        Assert.Equal((before - 2, before - 1), (meanwhile, dirty));
        Assert.Equal(before - 2, cache.Volume.OpenFiles);
        Assert.Equal(Bytes(1, 2 * Page), cache.DurableOf(file)[..(2 * Page)]);
    }

    [Theory]
    [Trait("Contract", "C9")]
    [Trait("Row", "E9")]
    [InlineData(1, 200)]
    [InlineData(8, 30)]
    public void Closed_files_with_dirty_pages_are_written_before_they_fill_the_room_for_metadata(int volumes, int most)
    {
        using var cache = SmallCache();
        for (var i = 1; i < volumes; i++)
        {
            cache.Own(cache.AttachSecond(out var other));
            cache.Own(other);
        }

        var file = cache.OpenMapped(4);
        for (var i = 0; i < 3000; i++)
        {
            if (cache.Figures.DirtyBytes == 0)
            {
                file.Write(0, Bytes(i, 10));
            }

            file.Clone().Dispose();
            Bounded.Until(() => cache.Volume.OpenFiles <= most, "closed files are written and go");
        }

        Assert.True(cache.Figures.PagesWritten > 0);
    }

    [Fact]
    [Trait("Row", "E5")]
    public void Closed_files_that_cannot_be_written_are_tried_once()
    {
        using var cache = SmallCache();
        var (file, other) = (cache.OpenMapped(4), cache.OpenMapped(4));
        var places = 0;
        cache.Engine.Before = port =>
        {
            if (port == "Place")
            {
                // Long enough for what comes meanwhile to wake the writer again.
                Interlocked.Increment(ref places);
                Thread.Sleep(10);
                throw new IOException("Place is broken.");
            }
        };
        file.Write(0, Bytes(1, 10));
        for (var i = 0; i < 100; i++)
        {
            file.Clone().Dispose();
        }

        Bounded.Until(() => Volatile.Read(ref places) > 0, "they are tried");
        Thread.Sleep(100);
        var tried = Volatile.Read(ref places);
        for (var i = 0; i < 100; i++)
        {
            // Tells the writer of dirty pages again and again.
            using var branch = other.Clone();
            other.Write(0, Bytes(i, 10));
            branch.Delete();
            Thread.Sleep(2);
        }

        Assert.InRange(Volatile.Read(ref places), tried, tried + 1);
        cache.Engine.Before = null;
    }

    [Fact]
    [Trait("Row", "E9")]
    public async Task A_flush_that_is_cancelled_when_its_pages_are_clean_lets_closed_files_go()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        file.Write(0, Bytes(1, 10));
        file.Clone().Dispose();
        Assert.Equal(2, cache.Volume.OpenFiles);
        using var cancellation = new CancellationTokenSource();
        cache.Engine.Before = port =>
        {
            if (port == "Persist")
            {
                cancellation.Cancel();
                cancellation.Token.ThrowIfCancellationRequested();
            }
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await cache.Volume.FlushAsync(cancellation.Token));
        Assert.Equal((1, 0L), (cache.Volume.OpenFiles, cache.Figures.DirtyBytes));
        cache.Engine.Before = null;
    }

    [Fact]
    [Trait("Row", "E9")]
    public void Closed_files_with_dirty_pages_go_with_their_volume()
    {
        using var cache = new WriteCache();
        var before = cache.Figures.LogicalBytes;
        var volume = cache.AttachSecond(out var file);
        file.Write(0, Bytes(1, 10));
        file.Dispose();
        Assert.NotEqual(before, cache.Figures.LogicalBytes);
        volume.Dispose();
        Assert.Equal((before, 0), (cache.Figures.LogicalBytes, volume.OpenFiles));
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task What_a_write_back_has_held_of_closed_files_makes_room_after_it()
    {
        using var cache = SmallCache(static options => options.DirtyStartBytes = options.DirtyThrottleBytes = 80 * Page);
        CloneAndPunch(cache, out var branches);
        var (gate, reached) = (new TaskCompletionSource(), new TaskCompletionSource());
        cache.Device.BeforeWrite = _ =>
        {
            reached.TrySetResult();
            return gate.Task;
        };
        var flush = Task.Run(async () => await cache.Volume.FlushAsync());
        await reached.Task.Within();
        branches.ForEach(static branch =>
        {
            branch.Delete();
            branch.Dispose();
        });
        branches.Clear();
        var files = new List<MappedFile>();
        OpenUntilRefused(cache, files);
        var during = files.Count;
        cache.Device.BeforeWrite = null;
        gate.SetResult();
        await flush.Within();
        OpenUntilRefused(cache, files);
        Assert.True(files.Count > during * 3 / 2, $"{during} files beside the write-back, {files.Count} after it");
        files.ForEach(static file => file.Dispose());

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void CloneAndPunch(WriteCache cache, out List<MappedFile> branches)
        {
            // Each shows the dirty page of the first, which stays open, and has a root of 256 windows of its own.
            var file = cache.OpenNew(512 << 20);
            file.Write(0, Bytes(1, Page));
            branches = [];
            for (var i = 0; i < 80; i++)
            {
                branches.Add(file.Clone());
                branches[i].PunchHole((long)(i + 1) << 21, Page);
            }
        }
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Who_wrote_what_others_show_and_was_closed_makes_room_when_it_is_written()
    {
        using var cache = SmallCache(static options => options.DirtyStartBytes = options.DirtyThrottleBytes = 80 * Page);
        var shown = cache.OpenNew(75 * Page);
        WriteAndShare(cache, shown);
        var files = new List<MappedFile>();
        OpenUntilRefused(cache, files);
        var before = files.Count;
        await cache.Volume.FlushAsync();
        OpenUntilRefused(cache, files);
        Assert.True(files.Count > before * 5 / 4, $"{before} files before the flush, {files.Count} after it");
        files.ForEach(static file => file.Dispose());

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void WriteAndShare(WriteCache cache, MappedFile shown)
        {
            for (var i = 0; i < 75; i++)
            {
                // A root of 256 windows, and a page that a dirty entry names the file with.
                using var author = cache.Volume.OpenFile(cache.Engine.Create(512 << 20), 512 << 20);
                author.Write(0, Bytes(i, Page));
                shown.CloneRange(author, 0, i * Page, Page);
                author.Delete();
            }
        }
    }

    private static void OpenUntilRefused(WriteCache cache, List<MappedFile> files) => Assert.Throws<CacheCapacityException>((Action)(() =>
    {
        while (files.Count < 20_000)
        {
            files.Add(cache.Volume.OpenFile(cache.Engine.Create(Page), Page));
        }
    }));

    private static WriteCache SmallCache(Action<PageCacheOptions>? configure = null) => new(deviceLength: 64 << 20, configure: options =>
    {
        (options.ExactFrameCount, options.CapacityBytes) = (null, 1 << 20);
        configure?.Invoke(options);
    });
}
