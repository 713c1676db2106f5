using SharedPageCache.Eviction;
using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Clones of ranges: what is shared, what is copied, and what a failure leaves.</summary>
public class RangeCloneTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "B2")]
    [Trait("Row", "A5")]
    public void Clean_pages_are_shared_by_the_engine_and_read_from_memory()
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(8), cache.OpenMapped(4));
        var held = Read(source, 0, 8 * Page);
        var (reads, resident) = (cache.Device.Reads, cache.Figures.ResidentBytes);
        Assert.Equal(5 * Page, file.CloneRange(source, 2 * Page, Page, 5 * Page));
        Assert.Equal([new SharedRange(2 * Page, Page, 5 * Page)], Assert.Single(cache.Engine.Cloned));
        Assert.Equal(6 * Page, file.Length);
        Assert.Equal(held[(2 * Page)..(7 * Page)], Read(file, Page, 5 * Page));
        Assert.Equal((reads, resident, 0L), (cache.Device.Reads, cache.Figures.ResidentBytes, cache.Figures.DirtyBytes));
    }

    /// <summary>Who holds a lease and waits for the file, as a change of its length does, would wait for itself.</summary>
    [Fact]
    [Trait("Row", "B2")]
    public async Task The_smallest_cache_copies_both_edges_while_all_leases_are_given_out()
    {
        using var cache = new WriteCache(frames: MemoryPlan.FewestFrames);
        var (source, file) = (cache.OpenMapped(4), cache.OpenMapped(4));
        var expected = Read(file, 0, 4 * Page);
        Read(source, 100, 2 * Page).CopyTo(expected, Page + 100);
        Assert.Equal(1, cache.Figures.LeaseLimit);
        using (await source.PinAsync(0))
        {
            await Task.Run(() => file.CloneRange(source, 100, Page + 100, 2 * Page)).WaitAsync(TimeSpan.FromSeconds(30));
        }

        Assert.Equal(expected, Read(file, 0, 4 * Page));
    }

    [Fact]
    [Trait("Row", "B2")]
    public void No_clean_page_is_looked_at()
    {
        using var cache = new WriteCache(frames: 4096, deviceLength: 32 << 20);
        var (source, file) = (cache.OpenMapped(3 * 512), cache.OpenMapped(3 * 512));
        Read(source, 0, 3 * 512 * Page);
        Read(file, 0, 3 * 512 * Page);
        source.Write(700 * Page, Bytes(1, Page));
        var (calls, figures) = (0, cache.Figures);
        cache.Engine.Before = call => calls += call == "GetExtents" ? 1 : 0;
        file.CloneRange(source, 0, 0, 3 * 512 * Page);
        Assert.Equal(0, calls);
        var after = cache.Figures;
        Assert.Equal(
            (figures.Hits, figures.MinorFaults, figures.MajorFaults, figures.ResidentBytes, figures.DeviceReads),
            (after.Hits, after.MinorFaults, after.MajorFaults, after.ResidentBytes, after.DeviceReads));
        // Three windows are forgotten, and one leaf shows the dirty page.
        Assert.Equal([new SharedRange(0, 0, 700 * Page), new SharedRange(701 * Page, 701 * Page, ((3 * 512) - 701) * Page)], cache.Engine.Cloned.Single());
        Assert.Equal(Read(source, 0, 3 * 512 * Page), Read(file, 0, 3 * 512 * Page));
        Assert.Equal(3, calls);
        Assert.Equal(after.MajorFaults, cache.Figures.MajorFaults);
    }

    [Fact]
    [Trait("Row", "B4")]
    [Trait("Row", "E2")]
    [Trait("Incident", "OpenZFS #15728/#15994")]
    public async Task OpenZFS_15728_dirty_pages_are_shared_without_a_flush_and_written_once()
    {
        using var cache = new WriteCache(frames: 512);
        var (source, file) = (cache.OpenNew(8 * Page), cache.OpenNew(0));
        source.Write(0, Bytes(1, 8 * Page));
        Assert.Equal(8 * Page, file.CloneRange(source, 0, 16 * Page, 8 * Page));
        Assert.Equal((0, 0, 8L * Page), (cache.Device.Writes, cache.Engine.Placements, cache.Figures.DirtyBytes));
        Assert.Equal(24 * Page, file.Length);
        Assert.Equal(Bytes(1, 8 * Page), Read(file, 16 * Page, 8 * Page));
        await file.FlushAsync();
        Assert.Equal((8, 0L), (cache.Device.BlocksWritten, cache.Figures.DirtyBytes));
        Assert.All(cache.Engine.Published, run => Assert.Equal(2, run.Owners.Length));
        Assert.Equal(Read(file, 0, 24 * Page), cache.DurableOf(file));
        Assert.Equal(Bytes(1, 8 * Page), cache.DurableOf(source));
    }

    [Fact]
    [Trait("Incident", "OpenZFS #15526")]
    [Trait("Incident", "OpenZFS #15728/#15994")]
    [Trait("Row", "A10")]
    public async Task OpenZFS_15526_a_dirty_sparse_half_flushed_file_is_cloned_as_it_reads()
    {
        using var cache = new WriteCache();
        var source = cache.OpenNew(12 * Page);
        source.Write(Page, Bytes(1, 2 * Page));
        await source.FlushAsync();
        source.Write((2 * Page) + 5, Bytes(2, 10));
        source.Write(7 * Page, Bytes(3, Page));
        await source.PunchHoleAsync(Page, Page);
        source.Write(4 * Page, Bytes(4, 100));
        var flush = new TaskCompletionSource();
        cache.Device.BeforeWrite = _ => flush.Task;
        var flushing = source.FlushAsync(0, 5 * Page).AsTask();
        var file = cache.OpenMapped(12);
        var held = Read(source, 0, 12 * Page);
        file.CloneRange(source, 0, 0, 12 * Page);
        Assert.Equal(held, Read(file, 0, 12 * Page));
        flush.SetResult();
        await flushing.Within();
        Assert.Equal(held, Read(file, 0, 12 * Page));
        await file.FlushAsync();
        Assert.Equal(held, cache.DurableOf(file));
        Assert.Equal(held, Read(source, 0, 12 * Page));
    }

    [Fact]
    [Trait("Row", "B6")]
    [Trait("Contract", "C2")]
    public async Task A_dirty_page_that_shows_twice_in_one_file_is_not_written_in_place()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(8 * Page);
        file.Write(0, Bytes(1, Page));
        file.Write(10, Bytes(2, 10));
        Assert.Equal(0, cache.Figures.PagesCopied);
        file.CloneRange(file, 0, 2 * Page, Page);
        var first = Read(file, 0, Page);
        file.Write(2 * Page, Bytes(3, 10));
        Assert.Equal(first, Read(file, 0, Page));
        var second = Read(file, 2 * Page, Page);
        file.Write(100, Bytes(4, 10));
        Assert.Equal(second, Read(file, 2 * Page, Page));
        await file.FlushAsync();
        Assert.Equal(Read(file, 0, 8 * Page), cache.DurableOf(file));
    }

    /// <summary>All offsets and lengths around the edges of pages, over clean, dirty, punched and missing pages, to and behind the ends.</summary>
    [Theory]
    [Trait("Row", "A5")]
    [Trait("Row", "B5")]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(1024)]
    public async Task Any_offsets_and_lengths(int fileTail)
    {
        const int Small = 512;
        int[] places = [0, 1, 511, 512, 513, 1024, 1500, 2048];
        using var cache = new WriteCache(frames: 64, pageSize: Small, deviceLength: 1 << 20);
        foreach (var from in places)
        {
            foreach (var to in places)
            {
                foreach (var count in (int[])[1, 510, 512, 514, 1024, 1537, 4000])
                {
                    var source = cache.OpenMapped(4);
                    await source.SetLengthAsync((4 * Small) - 100);
                    source.Write(Small + 3, Bytes(from + 1, 20));
                    await source.PunchHoleAsync(3 * Small, 50);
                    var file = cache.OpenMapped(2);
                    await file.SetLengthAsync(Small + fileTail);
                    file.Write(7, Bytes(to, Math.Min(600, Small + fileTail - 7)));
                    var (old, taken) = (Read(file, 0, Small + fileTail), Read(source, 0, (4 * Small) - 100));
                    var length = Math.Clamp(taken.Length - from, 0, count);
                    if ((from - to) % Small != 0 && ((to + length - 1) / Small) - (to / Small) + 1 > file.MaxAtomicWrite / Small)
                    {
                        Assert.Throws<CacheCapacityException>(() => file.CloneRange(source, from, to, count));
                        length = 0;
                    }
                    else
                    {
                        Assert.Equal(length, file.CloneRange(source, from, to, count));
                    }

                    var expected = new byte[Math.Max(old.Length, length == 0 ? 0 : to + length)];
                    old.CopyTo(expected, 0);
                    taken.AsSpan(Math.Min(from, taken.Length), length).CopyTo(expected.AsSpan(Math.Min(to, expected.Length)));
                    Assert.Equal(expected, Read(file, 0, expected.Length));
                    Assert.Equal(expected.Length, file.Length);

                    // What lies behind the end of a shared page is not shown when the file grows (xfstests generic/515).
                    await file.SetLengthAsync(8 * Small);
                    Assert.Equal([.. expected, .. new byte[(8 * Small) - expected.Length]], Read(file, 0, 8 * Small));
                    await cache.Volume.FlushAsync();
                    Assert.Equal([.. expected, .. new byte[(8 * Small) - expected.Length]], cache.DurableOf(file));
                    Assert.Equal(taken, Read(source, 0, taken.Length));
                    source.Delete();
                    file.Delete();
                    await cache.Volume.FlushAsync();
                }
            }
        }
    }

    [Fact]
    [Trait("Row", "B5")]
    public async Task Whatever_fails_the_file_is_as_it_was()
    {
        foreach (var failing in (string[])["CloneRange", "SetLength", "GetExtents", "BeforeUnshare", "read", "room"])
        {
            using var cache = new WriteCache();
            var (source, file) = (cache.OpenMapped(8), cache.OpenMapped(4));
            var relative = cache.Own(file.Clone());
            await file.SetLengthAsync((3 * Page) + 10);
            await cache.Volume.FlushAsync();
            source.Write(2 * Page, Bytes(1, Page));
            file.Write(Page, Bytes(2, Page));
            var before = Read(file, 0, (3 * Page) + 10);
            var dirty = cache.Figures.DirtyBytes;
            var (from, to, count) = failing == "SetLength" ? (1, 3 * Page, 100) : (10, 10, (3 * Page) + 500);
            switch (failing)
            {
                case "room":
                    var other = cache.OpenNew(100 * Page);
                    cache.Device.BeforeWrite = static _ => throw new IOException("broken.");
                    Assert.Throws<CacheWritebackException>(() => other.Write(0, Bytes(9, 100 * Page)));
                    dirty = cache.Figures.DirtyBytes;
                    break;
                case "read":
                    cache.Volume.Discard(new BlockRun(0, cache.Device.Length));
                    before = Read(file, 0, (3 * Page) + 10);
                    cache.Device.BeforeRead = static _ => throw new IOException("broken.");
                    break;
                default:
                    cache.Engine.Before = call => Throw(call == failing);
                    break;
            }

            if (failing == "GetExtents")
            {
                cache.Volume.Discard(new BlockRun(0, cache.Device.Length));
            }

            await Assert.ThrowsAnyAsync<Exception>(async () => await file.CloneRangeAsync(source, from, to, count));
            cache.Engine.Before = null;
            (cache.Device.BeforeRead, cache.Device.BeforeWrite) = (null, null);
            Assert.True((3 * Page) + 10 == file.Length, failing);
            Assert.True(before.AsSpan().SequenceEqual(Read(file, 0, (3 * Page) + 10)), failing);
            Assert.True(dirty == cache.Figures.DirtyBytes, $"{failing}: {cache.Figures.DirtyBytes} bytes are dirty, and {dirty} were");
            Assert.Empty(cache.Engine.Cloned);
            cache.Cache.Verify();
            Assert.Equal(count, file.CloneRange(source, from, to, count));
            Assert.Equal(Read(source, from, count), Read(file, to, count));
            await cache.Volume.FlushAsync();
            Assert.Equal(Read(file, 0, (int)file.Length), cache.DurableOf(file));
            GC.KeepAlive(relative);
            static void Throw(bool isTime) => _ = isTime ? throw new IOException("refused.") : 0;
        }
    }

    [Fact]
    [Trait("Row", "B5")]
    [Trait("Contract", "C6")]
    public async Task Until_it_is_flushed_a_crash_shows_what_the_destination_had_in_place_of_dirty_pages()
    {
        using var cache = new WriteCache();
        var (source, file, other) = (cache.OpenMapped(3), cache.OpenMapped(3), cache.OpenNew(Page));
        var (old, taken) = (Read(file, 0, 3 * Page), Read(source, 0, 3 * Page));
        source.Write(Page, Bytes(1, Page));
        file.CloneRange(source, 0, 0, 3 * Page);
        other.Write(0, Bytes(2, Page));
        await other.FlushAsync();
        Assert.Equal([.. taken[..Page], .. old[Page..(2 * Page)], .. taken[(2 * Page)..]], cache.DurableOf(file));
        await file.FlushAsync();
        Assert.Equal([.. taken[..Page], .. Bytes(1, Page), .. taken[(2 * Page)..]], cache.DurableOf(file));
    }

    [Fact]
    [Trait("Row", "B9")]
    public void The_engine_hears_of_writes_to_either_file_and_of_edges_before_they_are_copied()
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(4), cache.OpenMapped(4));
        source.Write(Page, Bytes(1, 10));
        file.CloneRange(source, 0, 0, 2 * Page);
        Assert.Equal(0, cache.Engine.Unshares);
        source.Write(0, Bytes(2, 10));
        Assert.Equal(1, cache.Engine.Unshares);
        file.Write(Page, Bytes(2, 10));
        Assert.Equal(2, cache.Engine.Unshares);
        file.CloneRange(source, 100, (2 * Page) + 100, 10);
        Assert.Equal(3, cache.Engine.Unshares);
    }

    [Theory]
    [Trait("Row", "B9")]
    [InlineData("cloned later")]
    [InlineData("cloned before")]
    [InlineData("cloned from the clone")]
    [InlineData("cloned from the destination")]
    public void The_engine_hears_of_writes_to_a_clone_of_what_shared_a_range_when_all_others_are_closed(string kind)
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(4), cache.OpenMapped(4));
        var before = source.Clone();
        file.CloneRange(source, 0, 0, 2 * Page);
        var later = source.Clone();
        var clone = cache.Own(kind switch
        {
            "cloned later" => source.Clone(),
            "cloned before" => before.Clone(),
            "cloned from the clone" => later.Clone(),
            _ => file.Clone(),
        });
        foreach (var other in (MappedFile[])[source, file, before, later])
        {
            Read(other, 0, 4 * Page);
            other.Dispose();
        }

        var expected = Read(clone, 0, 2 * Page);
        Bytes(1, 10).CopyTo(expected, 0);
        clone.Write(0, Bytes(1, 10));
        Assert.Equal(1, cache.Engine.Unshares);
        Assert.Equal(0, cache.Figures.PagesTakenOver);
        Assert.Equal(expected, Read(clone, 0, 2 * Page));
    }

    [Theory]
    [Trait("Contract", "C7")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_failure_that_nobody_was_told_yet_goes_with_the_dirty_pages(bool isDirty)
    {
        using var cache = new WriteCache(dirtyAge: TimeSpan.FromMilliseconds(10));
        var (source, file) = (cache.OpenMapped(4), cache.OpenMapped(4));
        cache.Device.BeforeWrite = static _ => throw new IOException("broken.");
        source.Write(0, Bytes(1, 10));
        Bounded.Until(() => cache.Figures.WritebackFailures > 0, "the background writer has failed");
        file.CloneRange(source, isDirty ? 0 : 2 * Page, 0, Page);
        cache.Device.BeforeWrite = null;
        await cache.Volume.FlushAsync();
        await Assert.ThrowsAsync<CacheWritebackException>(() => source.FlushAsync().AsTask());
        if (isDirty)
        {
            var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
            Assert.Contains("in the background failed", error.Message, StringComparison.Ordinal);
        }

        await source.FlushAsync();
        await file.FlushAsync();
    }

    [Fact]
    [Trait("Row", "E3")]
    public async Task What_is_copied_or_shared_waits_for_its_log_records()
    {
        using var cache = new WriteCache();
        var (source, file, edge) = (cache.OpenNew(4 * Page), cache.OpenNew(4 * Page), cache.OpenNew(4 * Page));
        source.Write(0, Bytes(1, Page), new Lsn(7));
        file.CloneRange(source, 0, 0, Page);
        edge.CloneRange(source, 5, 5, 10);
        await edge.FlushAsync();
        Assert.Equal([new Lsn(7)], cache.Engine.EnsuredDurable);
        await file.FlushAsync();
        Assert.Equal([new Lsn(7), new Lsn(7)], cache.Engine.EnsuredDurable);
    }

    [Fact]
    [Trait("Contract", "C4")]
    public void A_lease_of_what_was_replaced_stays_as_it_was()
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(2), cache.OpenMapped(2));
        file.Write(0, Bytes(1, Page));
        Assert.True(file.TryPin(0, out var lease));
        file.CloneRange(source, 0, 0, 2 * Page);
        Assert.True(lease.Span.SequenceEqual(Bytes(1, Page)));
        Assert.Equal(0, cache.Figures.DirtyBytes);
        lease.Dispose();
        Assert.Equal(Read(source, 0, 2 * Page), Read(file, 0, 2 * Page));
    }

    [Fact]
    [Trait("Row", "B12")]
    public async Task A_range_is_cloned_ten_thousand_times_in_one_file_and_written_once()
    {
        using var cache = new WriteCache(frames: 64, pageSize: 512, deviceLength: 1 << 20);
        var file = cache.OpenNew(512);
        file.Write(0, Bytes(1, 512));
        for (var pages = 1; pages < 10_000; pages = Math.Min(10_000, 2 * pages))
        {
            Assert.Equal(file.Length, file.CloneRange(file, 0, file.Length, file.Length));
        }

        Assert.Equal(512, cache.Figures.DirtyBytes);
        await file.FlushAsync();
        Assert.Equal(1, cache.Device.BlocksWritten);
        Assert.Equal((int)(file.Length / 512), cache.Engine.Published.Single().Owners.Length);
        Assert.Equal(Bytes(1, 512), Read(file, file.Length - 512, 512));
    }

    public static TheoryData<long, long, long> Nonsense => new()
    {
        { -1, 0, 1 }, { 0, -1, 1 }, { 0, 0, -1 }, { long.MinValue, long.MinValue, long.MinValue }, { 0, long.MaxValue, 1 }, { 0, (1L << 56) - 1, 2 },
    };

    [Theory]
    [MemberData(nameof(Nonsense))]
    public void Absurd_numbers_are_refused(long from, long to, long count)
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(2), cache.OpenMapped(2));
        Assert.ThrowsAny<ArgumentOutOfRangeException>(() => file.CloneRange(source, from, to, count));
        if (to < 1L << 50)
        {
            Assert.ThrowsAny<ArgumentOutOfRangeException>(() => file.Dedupe(source, from, to, count));
        }

        Assert.Equal(2 * Page, file.Length);
        Assert.Empty(cache.Engine.Cloned);
    }

    [Fact]
    public async Task What_cannot_be_is_refused()
    {
        using var cache = new WriteCache();
        var (source, file) = (cache.OpenMapped(4), cache.OpenMapped(4));
        Assert.Throws<ArgumentNullException>(() => file.CloneRange(null!, 0, 0, 1));
        Assert.Throws<ArgumentException>(() => file.CloneRange(file, 0, 0, Page));
        Assert.Throws<ArgumentException>(() => file.CloneRange(file, 0, Page - 1, Page));
        Assert.Throws<ArgumentException>(() => file.CloneRange(file, Page, 0, long.MaxValue));
        Assert.Throws<ArgumentException>(() => file.Dedupe(file, 0, 0, Page));
        var large = cache.OpenMapped(40);
        Assert.Throws<ArgumentException>(() => large.Dedupe(large, 0, 19 * Page, 20 * Page));
        Assert.Equal(0, file.CloneRange(source, 4 * Page, 0, Page));
        Assert.Equal(0, file.CloneRange(source, long.MaxValue, 0, long.MaxValue));
        Assert.Equal(0, file.CloneRange(source, 0, 100 * Page, 0));
        Assert.Equal(4 * Page, file.Length);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.CloneRangeAsync(source, 0, 0, Page, cancelled.Token));

        using var stranger = new WriteCache();
        Assert.Throws<ArgumentException>(() => file.CloneRange(stranger.OpenMapped(1), 0, 0, Page));
        var readOnly = cache.Own(cache.Volume.OpenFile(new ListExtents(new Extent(0, Page, 0)), Page));
        Assert.Throws<NotSupportedException>(() => readOnly.CloneRange(file, 0, 0, Page));
        Assert.Throws<NotSupportedException>(() => file.CloneRange(readOnly, 0, 0, Page));
        Assert.Empty(cache.Engine.Cloned);
        source.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.CloneRange(source, 0, 0, Page));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.CloneRange(file, 0, Page, Page));
    }
}
