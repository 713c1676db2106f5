using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Engines and devices that do not come back, or have no room: what else goes on, and what is written when they do.</summary>
public class StuckEngineTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "D4")]
    [Trait("Contract", "C9")]
    public async Task No_eviction_waits_for_a_page_that_is_being_written()
    {
        using var cache = new WriteCache(frames: 128);
        var (file, others) = (cache.OpenNew(8 * Page), cache.OpenMapped(400));
        file.Write(0, Bytes(1, 8 * Page));
        var (write, isStuck) = (new TaskCompletionSource(), false);
        cache.Device.BeforeWrite = _ =>
        {
            Volatile.Write(ref isStuck, true);
            return write.Task;
        };
        var flush = file.FlushAsync().AsTask();
        Bounded.Until(() => Volatile.Read(ref isStuck), "the device has been asked to write");

        // Many times what the cache holds comes and goes past the pages that are stuck.
        var read = Task.Run(() =>
        {
            for (var page = 0; page < 400; page++)
            {
                Assert.Equal(cache.Device.Copy(page * (long)Page, Page), Read(others, page * Page, Page));
            }
        });
        await read.Within();
        Assert.InRange(cache.Figures.Evictions, 250, long.MaxValue);
        Assert.False(flush.IsCompleted);
        Assert.Equal(Bytes(1, 8 * Page), Read(file, 0, 8 * Page));

        // A write of such a page copies it.
        await Task.Run(() => file.Write(Page, Bytes(2, 100))).Within();
        write.SetResult();
        cache.Device.BeforeWrite = null;
        await flush.Within();
        Assert.Equal(Bytes(1, 8 * Page), cache.DurableOf(file));
        await file.FlushAsync();
        Assert.Equal(Bytes(2, 100), cache.DurableOf(file)[Page..(Page + 100)]);
    }

    [Theory]
    [InlineData("Place")]
    [InlineData("write")]
    public async Task While_a_step_of_a_write_back_blocks_all_else_goes_on_and_who_waits_for_it_can_give_up(string step)
    {
        using var cache = new WriteCache(frames: 128);
        var (file, other) = (cache.OpenMapped(16), cache.OpenMapped(16));
        file.Write(0, Bytes(1, 2 * Page));
        var stuck = new TaskCompletionSource();
        var isStuck = false;
        if (step == "Place")
        {
            cache.Engine.DuringPlace = WaitAsync;
        }
        else
        {
            cache.Device.BeforeWrite = _ => WaitAsync();
        }

        var flush = file.FlushAsync().AsTask();
        Bounded.Until(() => Volatile.Read(ref isStuck), "the step has begun");
        MappedFile? clone = null;
        await Task.Run(async () =>
        {
            Assert.Equal(Bytes(1, 2 * Page), Read(file, 0, 2 * Page));
            Read(other, 0, 16 * Page);
            clone = file.Clone();
            file.Write(10, Bytes(2, 20));
            await clone.WriteAsync(Page, Bytes(3, Page));
            await file.SetLengthAsync(12 * Page);
            await file.PunchHoleAsync(4 * Page, 2 * Page);
            other.CloneRange(file, 0, 8 * Page, 4 * Page);
            Assert.NotEmpty(file.DiffPages(clone));
            using var lease = await file.LeaseForWriteAsync(7 * Page);
            lease.Span.Fill(9);
            await lease.CommitAsync();
        }).Within();
        cache.Own(clone!);
        using var stop = new CancellationTokenSource();
        var waiting = other.FlushAsync(stop.Token).AsTask();
        Assert.False(waiting.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.Within());
        Assert.False(flush.IsCompleted);

        cache.Engine.DuringPlace = null;
        cache.Device.BeforeWrite = null;
        stuck.SetResult();
        await flush.Within();
        await cache.Volume.FlushAsync();
        Assert.Equal(0, cache.Figures.DirtyBytes);
        foreach (var each in new[] { file, clone!, other })
        {
            Assert.Equal(Read(each, 0, 16 * Page), cache.DurableOf(each));
        }

        Assert.Equal(Bytes(2, 20), Read(other, (8 * Page) + 10, 20));
        Assert.Equal(Bytes(3, Page), Read(clone!, Page, Page));

        Task WaitAsync()
        {
            Volatile.Write(ref isStuck, true);
            return stuck.Task;
        }
    }

    [Fact]
    [Trait("Row", "E5")]
    [Trait("Contract", "C7")]
    public async Task Without_room_nothing_is_lost_and_a_later_flush_succeeds()
    {
        using var cache = new WriteCache(frames: 64, deviceLength: 12 * Page);
        var (file, other) = (cache.OpenNew(8 * Page), cache.OpenMapped(9));
        file.Write(0, Bytes(1, 5 * Page));
        for (var attempt = 0; attempt < 3; attempt++)
        {
            var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
            Assert.Equal("Place", error.Step);
            Assert.Contains("no space", Assert.IsType<IOException>(error.InnerException).Message);
            Assert.Equal(5 * Page, cache.Figures.DirtyBytes);
            Assert.Equal(0, cache.Device.Writes);
            Assert.Equal(9, cache.Engine.BlocksInUse);
        }

        // Blocks come free when nothing durable shows them any more; the flush that frees them may still be without.
        other.Delete();
        try
        {
            await cache.Volume.FlushAsync();
        }
        catch (CacheWritebackException error)
        {
            Assert.Equal("Place", error.Step);
        }

        await file.FlushAsync();
        Assert.Equal(0, cache.Figures.DirtyBytes);
        Assert.Equal([.. Bytes(1, 5 * Page), .. new byte[3 * Page]], cache.DurableOf(file));
    }

    [Theory]
    [Trait("Contract", "C7")]
    [Trait("Row", "F6")]
    [MemberData(nameof(WriteRefusalTests.WrongAnswers), MemberType = typeof(WriteRefusalTests))]
    public async Task A_wrong_answer_of_Place_to_a_write_around_writes_nothing_and_takes_nothing(string kind)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        file.Write(Page, Bytes(1, 10));
        var before = Read(file, 0, 4 * Page);
        using var direct = cache.Volume.BeginDirectWrite(new BlockRun(200 * Page, Page));
        cache.Engine.Answer = answer => WriteRefusalTests.Wrong(kind, answer, cache.Device.Length);
        var blocks = cache.Engine.BlocksInUse;

        var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.WriteAroundAsync(0, Bytes(2, 3 * Page)));

        Assert.Equal("Place", error.Step);
        Assert.Equal(0, cache.Device.Writes);
        Assert.Empty(cache.Engine.Published);
        Assert.Equal(before, Read(file, 0, 4 * Page));
        cache.Engine.Answer = null;
        Assert.InRange(cache.Engine.BlocksInUse, blocks, blocks + 3);
        await file.WriteAroundAsync(0, Bytes(2, 3 * Page));
        Assert.Equal(Bytes(2, 3 * Page), Read(file, 0, 3 * Page));
        Assert.Equal(Read(file, 0, 4 * Page), cache.DurableOf(file));
    }

    [Fact]
    [Trait("Contract", "C6")]
    public async Task A_file_that_is_disposed_is_written_back_and_one_that_was_deleted_is_not()
    {
        using var cache = new WriteCache();
        var (kept, deleted) = (cache.OpenNew(2 * Page), cache.OpenNew(2 * Page));
        kept.Write(0, Bytes(1, 2 * Page));
        deleted.Write(0, Bytes(2, 2 * Page));
        deleted.Delete();
        await deleted.DisposeAsync();
        Assert.Equal((2L * Page, 0), (cache.Figures.DirtyBytes, cache.Device.Writes));
        cache.Device.BeforeWrite = static _ => throw new IOException("broken.");
        var again = cache.Own(cache.Volume.OpenFile(kept.Extents, 2 * Page, new FileOpenOptions { Id = FileId.FromNumber(3) }));
        await Assert.ThrowsAsync<CacheWritebackException>(async () => await kept.DisposeAsync());
        Assert.True(kept.IsClosed);
        Assert.Equal(2 * Page, cache.Figures.DirtyBytes);

        // It is tried again by the volume's flush.
        cache.Device.BeforeWrite = null;
        await cache.Volume.FlushAsync();
        Assert.Equal(Bytes(1, 2 * Page), cache.DurableOf(again));
        Assert.Equal(2, cache.Device.BlocksWritten);
        await again.DisposeAsync();
    }
}
