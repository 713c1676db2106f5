using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>The rows of writing, one by one.</summary>
public class WriteRowTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "B6")]
    [Trait("Row", "L4")]
    [Trait("Contract", "C2")]
    public void The_first_write_after_a_clone_copies_one_page_and_leaves_the_others_entry_alone()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(16);
        var before = Read(file, 0, 16 * Page);
        var clone = cache.Own(file.Clone());
        var resident = cache.Figures.ResidentBytes;
        var reads = cache.Device.Reads;
        clone.Write(3 * Page + 7, Bytes(1, 10));
        Assert.Equal(reads, cache.Device.Reads);
        Assert.Equal(Page, cache.Figures.ResidentBytes - resident);
        Assert.Equal(1, cache.Figures.PagesCopied);
        Assert.Equal(before, Read(file, 0, 16 * Page));
        before.AsSpan(3 * Page + 7, 10).Clear();
        Bytes(1, 10).CopyTo(before, 3 * Page + 7);
        Assert.Equal(before, Read(clone, 0, 16 * Page));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(Page)]
    [Trait("Row", "B8")]
    public void The_last_who_shows_a_clean_page_writes_it_without_a_copy(int length)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var content = Read(file, 0, 4 * Page);
        var (reads, resident) = (cache.Device.Reads, cache.Figures.ResidentBytes);
        using (var clone = file.Clone())
        {
            file.Write(0, Bytes(1, length));
            Assert.Equal((0, resident + Page), (cache.Figures.PagesTakenOver, cache.Figures.ResidentBytes));
            Assert.Equal(content, Read(clone, 0, 4 * Page));
        }

        // Now it is the last.
        file.Write(Page, Bytes(2, length));
        file.Write(2 * Page, Bytes(3, length));
        Assert.Equal((2, resident + Page), (cache.Figures.PagesTakenOver, cache.Figures.ResidentBytes));
        Assert.Equal(reads, cache.Device.Reads);
        for (var page = 0; page < 3; page++)
        {
            Bytes((byte)(page + 1), length).CopyTo(content, page * Page);
        }

        Assert.Equal(content, Read(file, 0, 4 * Page));
        Assert.Equal(reads, cache.Device.Reads);
    }

    [Fact]
    [Trait("Row", "B8")]
    [Trait("Contract", "C4")]
    public void A_leased_page_is_copied_though_nobody_else_shows_it()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var content = Read(file, 0, Page);
        Assert.True(file.TryPin(0, out var lease));
        using (lease)
        {
            file.Write(10, Bytes(1, 100));
            Assert.Equal((1, 0), (cache.Figures.PagesCopied, cache.Figures.PagesTakenOver));
            Assert.Equal(content, lease.Span.ToArray());
        }

        Bytes(1, 100).CopyTo(content, 10);
        Assert.Equal(content, Read(file, 0, Page));
    }

    [Fact]
    [Trait("Row", "B7")]
    public void A_partial_write_takes_its_page_from_memory_and_a_whole_one_reads_nothing()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        file.Write(2 * Page, Bytes(1, Page));
        Assert.Equal(0, cache.Device.Reads);
        file.Write(Page + 1, Bytes(2, 1));
        Assert.Equal(1, cache.Device.BlocksRead);
        file.Write(Page + 100, Bytes(3, 1));
        Assert.Equal(1, cache.Device.BlocksRead);
    }

    [Fact]
    public void A_write_to_a_page_of_ones_own_allocates_nothing()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(4 * Page);
        var bytes = Bytes(1, 100);
        file.Write(Page, bytes);
        Assert.Equal(0, Allocations.Of(() => file.Write(Page + 50, bytes)));
        Assert.Equal(1, cache.Figures.DirtyBytes / Page);
    }

    [Fact]
    [Trait("Row", "B4")]
    [Trait("Contract", "C5")]
    public void A_clone_of_a_dirty_file_does_no_io()
    {
        using var cache = new WriteCache(frames: 2048);
        var file = cache.OpenNew(100 * Page);
        file.Write(0, Bytes(1, 100 * Page));
        var clones = Enumerable.Range(0, 50).Select(_ => cache.Own(file.Clone())).ToArray();
        Assert.Equal(0, cache.Device.Reads + cache.Device.Writes + cache.Engine.Placements);
        Assert.Equal(100, cache.Figures.DirtyBytes / Page);
        Assert.All(clones, clone => Assert.Equal(Bytes(1, 100 * Page), Read(clone, 0, 100 * Page)));
    }

    [Fact]
    [Trait("Row", "E4")]
    [Trait("Contract", "C6")]
    public async Task A_write_during_write_back_copies_and_the_image_that_was_promised_is_durable()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(2 * Page);
        file.Write(0, Bytes(1, Page));
        var gate = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        cache.Device.BeforeWrite = async _ =>
        {
            arrived.TrySetResult();
            await gate.Task;
        };
        var flush = file.FlushAsync().AsTask();
        await arrived.Task.Within();
        file.Write(10, Bytes(2, 100));
        var newer = Read(file, 0, Page);
        cache.Device.BeforeWrite = null;
        gate.SetResult();
        await flush.Within();
        Assert.Equal(Bytes(1, Page), cache.DurableOf(file)[..Page]);
        Assert.Equal(newer, Read(file, 0, Page));
        Assert.Equal(1, cache.Figures.DirtyBytes / Page);
        await file.FlushAsync();
        Assert.Equal(newer, cache.DurableOf(file)[..Page]);
    }

    [Fact]
    [Trait("Row", "E3")]
    public async Task The_log_is_durable_up_to_the_newest_record_before_a_page_is_written()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(4 * Page);
        file.Write(0, Bytes(1, Page), new Lsn(7));
        file.Write(100, Bytes(2, 10), new Lsn(9));
        file.Write(200, Bytes(2, 10));
        var clone = cache.Own(file.Clone());
        clone.Write(300, Bytes(3, 10));
        cache.Device.BeforeWrite = _ =>
        {
            Assert.Equal([new Lsn(9)], cache.Engine.EnsuredDurable);
            return Task.CompletedTask;
        };
        await clone.FlushAsync();
        Assert.Equal([new Lsn(9)], cache.Engine.EnsuredDurable);
    }

    [Fact]
    [Trait("Row", "F3")]
    public async Task Truncated_and_grown_again_a_file_reads_zero()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        file.Write(0, Bytes(1, 4 * Page));
        await file.FlushAsync();
        await file.SetLengthAsync(Page + 100);
        await file.SetLengthAsync(4 * Page);
        var bytes = Read(file, 0, 4 * Page);
        Assert.Equal(Bytes(1, 4 * Page)[..(Page + 100)], bytes[..(Page + 100)]);
        Assert.True(bytes.AsSpan(Page + 100).IndexOfAnyExcept((byte)0) < 0);
        file.Write(6 * Page + 5, Bytes(2, 10));
        Assert.Equal(6 * Page + 15, file.Length);
        Assert.True(Read(file, Page + 100, 5 * Page - 95).AsSpan().IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    [Trait("Row", "E5")]
    [Trait("Contract", "C7")]
    public async Task A_failed_flush_throws_keeps_the_page_dirty_and_a_retry_succeeds()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(4 * Page);
        file.Write(Page, Bytes(1, Page));
        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        Assert.Equal(("write", Page, Page), (error.Step, error.Offset, error.Length));
        Assert.Equal(1, cache.Figures.DirtyBytes / Page);
        Assert.Single(cache.Engine.Abandoned);
        cache.Cache.Verify();
        cache.Device.BeforeWrite = null;
        await file.FlushAsync();
        Assert.Equal(Bytes(1, Page), cache.DurableOf(file)[Page..(2 * Page)]);
    }

    [Fact]
    [Trait("Contract", "C7")]
    public async Task An_engine_that_takes_nothing_back_does_not_hide_why_it_was_asked()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(Page);
        file.Write(0, Bytes(1, Page));
        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        cache.Engine.Before = static call =>
        {
            if (call == "Abandon")
            {
                throw new InvalidOperationException("not mine");
            }
        };
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        Assert.Equal(("write", "the disk is broken."), (error.Step, error.InnerException!.Message));
    }

    [Fact]
    [Trait("Contract", "C6")]
    public async Task A_failed_persist_stays_owed()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(Page);
        file.Write(0, Bytes(1, Page));
        cache.Engine.Before = static port =>
        {
            if (port == "Persist")
            {
                throw new IOException("the log is full.");
            }
        };
        for (var i = 0; i < 2; i++)
        {
            var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
            Assert.Equal("Persist", error.Step);
        }

        Assert.Equal(0, cache.Figures.DirtyBytes);
        cache.Engine.Before = null;
        await file.FlushAsync();
        Assert.Equal(Bytes(1, Page), cache.DurableOf(file));
        Assert.Equal(1, cache.Device.BlocksWritten);
    }

    [Fact]
    [Trait("Row", "E9")]
    public async Task A_file_that_was_closed_dirty_is_found_again_and_written_by_the_volumes_flush()
    {
        using var cache = new WriteCache();
        var map = cache.Engine.Create(Page);
        var options = new FileOpenOptions { Id = FileId.FromNumber(5) };
        var file = cache.Volume.OpenFile(map, Page, options);
        file.Write(0, Bytes(1, Page));
        file.Dispose();
        Assert.Equal(1, cache.Figures.DirtyBytes / Page);
        using (var again = cache.Volume.OpenFile(map, Page, options))
        {
            Assert.Equal(Bytes(1, Page), Read(again, 0, Page));
        }

        await cache.Volume.FlushAsync();
        Assert.Equal(Bytes(1, Page), PageEngine.Durable(map, cache.Device.Bytes));
        Assert.Equal(0, cache.Volume.OpenFiles);
    }

    [Fact]
    [Trait("Row", "D5")]
    public async Task The_background_writer_takes_pages_that_are_old_and_all_when_there_are_many()
    {
        using var cache = new WriteCache(frames: 64, dirtyAge: TimeSpan.FromMilliseconds(50));
        var file = cache.OpenNew(64 * Page);
        file.Write(0, Bytes(1, Page));
        Bounded.Until(() => cache.DurableOf(file).AsSpan(0, Page).SequenceEqual(Bytes(1, Page)), "the old page is durable");
        Assert.Equal(0, cache.Figures.DirtyBytes);

        // Far more than may be dirty: writers wait for room, and nothing is lost.
        file.Write(0, Bytes(2, 64 * Page));
        await file.FlushAsync();
        Assert.Equal(Bytes(2, 64 * Page), cache.DurableOf(file));
    }

    [Fact]
    [Trait("Row", "L33")]
    [Trait("Row", "L34")]
    [Trait("Row", "B9")]
    public void The_engine_is_told_before_a_shared_page_is_copied_and_may_refuse()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        file.Write(0, Bytes(1, 10));
        Assert.Equal(0, cache.Engine.Unshares);
        var clone = cache.Own(file.Clone());
        clone.Write(0, Bytes(2, 10));
        Assert.Equal(1, cache.Engine.Unshares);
        cache.Engine.Before = static port =>
        {
            if (port == "BeforeUnshare")
            {
                throw new IOException("no space to unshare.");
            }
        };
        var before = Read(file, 0, 4 * Page);
        Assert.Throws<IOException>(() => file.Write(0, Bytes(3, 10)));
        Assert.Equal(before, Read(file, 0, 4 * Page));
    }

    [Fact]
    public void The_engine_is_told_of_each_shared_page_of_a_write()
    {
        using var cache = new WriteCache();
        var clone = cache.Own(cache.OpenMapped(8).Clone());
        clone.Write(100, Bytes(1, 3 * Page));
        Assert.Equal(4, cache.Engine.Unshares);
    }

    [Fact]
    [Trait("Contract", "C8")]
    public async Task Blocks_of_a_write_back_that_is_under_way_cannot_be_discarded()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(Page);
        file.Write(0, Bytes(1, Page));
        cache.Device.BeforeWrite = run =>
        {
            Assert.Throws<InvalidOperationException>(() => cache.Volume.Discard(run));
            return Task.CompletedTask;
        };
        await file.FlushAsync();
        Assert.Equal(1, cache.Device.Writes);
    }

    [Fact]
    [Trait("Row", "F3")]
    public async Task A_page_that_is_cut_off_while_it_is_loaded_for_a_lease_leaks_nothing()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var gate = new TaskCompletionSource();
        cache.Device.BeforeRead = _ => gate.Task;
        var one = file.PinAsync(3 * Page).AsTask();
        var range = file.PinRangeAsync(2 * Page, 2 * Page).AsTask();
        await file.SetLengthAsync(0);
        gate.SetResult();
        using (var lease = await one.Within())
        {
            Assert.Equal(Page, lease.Memory.Length);
        }

        using (var lease = await range.Within())
        {
            Assert.Equal(2 * Page, lease.Sequence.Length);
        }
    }

    [Fact]
    [Trait("Row", "F3")]
    public async Task A_file_that_was_cut_and_grows_never_shows_old_bytes_after_a_crash()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(Page);
        file.Write(0, Bytes(1, Page));
        await file.FlushAsync();
        await file.SetLengthAsync(100);
        await file.FlushAsync();
        await file.SetLengthAsync(Page);

        // The engine commits by itself, and the machine stops.
        await cache.Engine.PersistAsync(CancellationToken.None);
        var durable = cache.DurableOf(file);
        Assert.Equal(Page, durable.Length);
        Assert.Equal(Bytes(1, Page)[..100], durable[..100]);
        Assert.True(durable.AsSpan(100).IndexOfAnyExcept((byte)0) < 0, "old bytes behind the old end");
        var writes = cache.Device.Writes;
        file.Write(Page, Bytes(2, 10));
        file.Write(Page + 10, Bytes(2, 10));
        Assert.Equal(writes, cache.Device.Writes);
    }

    [Fact]
    [Trait("Row", "E8")]
    public async Task Pages_are_sealed_when_they_are_written_and_verified_when_they_are_read()
    {
        using var cache = new WriteCache(seal: new LastWordSeal());
        var file = cache.OpenNew(3 * Page);
        var bytes = Bytes(1, 3 * Page);
        file.Write(0, bytes);
        await file.FlushAsync();
        Assert.Equal(bytes, Read(file, 0, 3 * Page));
        EvictAll(cache);
        var again = Read(file, 0, 3 * Page);
        Assert.Equal(bytes[..(Page - 8)], again[..(Page - 8)]);
        EvictAll(cache);
        var block = ((PageEngine.PageFile)file.Extents).Blocks[1];
        cache.Device.Bytes[(int)(block * Page) + 100] ^= 1;
        Assert.Equal(again[..Page], Read(file, 0, Page));
        var error = Assert.Throws<PageLoadException>(() => Read(file, Page, 1));
        Assert.Equal((Page, new BlockRun(block * Page, Page)), (error.Offset, error.Blocks));
        cache.Device.Bytes[(int)(block * Page) + 100] ^= 1;
        Assert.Equal(again, Read(file, 0, 3 * Page));
    }

    private static void EvictAll(WriteCache cache)
    {
        var rooms = cache.Cache.Engine.Rooms;
        var evicted = new Stack<int>();
        while (rooms.Reclaimer.TryEvict(out var frame))
        {
            evicted.Push(frame);
        }

        while (evicted.TryPop(out var frame))
        {
            rooms.Pool.Push(frame);
        }
    }


    [Fact]
    [Trait("Row", "J4")]
    public async Task A_file_that_can_be_written_is_a_stream_that_can_be_written()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(0);
        await using (var stream = file.OpenStream())
        {
            Assert.True(stream.CanWrite);
            await stream.WriteAsync(Bytes(1, 10_000));
            stream.Position = 100;
            stream.Write(Bytes(2, 5));
            stream.WriteByte(9);
            stream.SetLength(9000);
        }

        var expected = Bytes(1, 10_000)[..9000];
        Bytes(2, 5).CopyTo(expected, 100);
        expected[105] = 9;
        Assert.Equal(expected, Read(file, 0, 20_000));
    }

    [Fact]
    public void What_cannot_be_written_says_so()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, Page);
        Assert.False(file.CanWrite);
        Assert.Throws<NotSupportedException>(() => file.Write(0, Bytes(1, 1)));
        Assert.Throws<NotSupportedException>(() => file.SetLength(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Write(-1, Bytes(1, 1)));
        using var writable = new WriteCache();
        var other = writable.OpenNew(Page);
        Assert.Throws<ArgumentOutOfRangeException>(() => other.Write(long.MaxValue, Bytes(1, 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => other.SetLength(-1));
        other.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.Write(0, Bytes(1, 1)));
    }
}
