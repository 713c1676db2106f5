using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Pages that are leased to be written in the cache's own memory.</summary>
public class WriteLeaseTests
{
    private const int Page = 4096;

    [Fact]
    [Trait("Row", "H4")]
    [Trait("Contract", "C4")]
    public async Task Everybody_has_the_old_page_until_the_commit()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var old = Read(file, 0, 4 * Page);
        using var reading = await file.PinAsync(Page);
        using var lease = await file.LeaseForWriteAsync(Page + 17);
        Assert.Equal((Page, Page), (lease.Offset, lease.Length));
        Assert.Equal(old.AsSpan(Page, Page), lease.Span);
        Bytes(1, 100).CopyTo(lease.Span[50..]);

        using var clone = file.Clone();
        await file.FlushAsync();
        Assert.Equal(0, cache.Device.Writes);
        Assert.Equal(old, Read(file, 0, 4 * Page));
        Assert.True(file.TryPin(Page, out var late));
        Assert.Equal(old.AsSpan(Page, Page), late.Span);
        late.Dispose();

        lease.Commit();
        Assert.True(lease.IsCommitted);
        var expected = old.AsSpan().ToArray();
        Bytes(1, 100).CopyTo(expected, Page + 50);
        Assert.Equal(expected, Read(file, 0, 4 * Page));
        Assert.Equal(old, Read(clone, 0, 4 * Page));
        Assert.Equal(old.AsSpan(Page, Page), reading.Memory.Span);
        await file.FlushAsync();
        Assert.Equal(expected, cache.DurableOf(file));
        Assert.Equal(old, cache.DurableOf(clone));
        Assert.Equal(1, cache.Device.BlocksWritten);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Row", "H4")]
    public async Task Without_a_commit_nothing_has_happened(bool isDirty)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        if (isDirty)
        {
            file.Write(0, Bytes(3, Page));
        }

        var (old, resident, dirty) = (Read(file, 0, 2 * Page), cache.Figures.ResidentBytes, cache.Figures.DirtyBytes);
        var lease = await file.LeaseForWriteAsync(0);
        lease.Span.Fill(7);
        Assert.Equal(resident + Page, cache.Figures.ResidentBytes);
        cache.Cache.Verify();
        lease.Dispose();
        lease.Dispose();
        Assert.False(lease.IsCommitted);
        Assert.Equal((resident, dirty), (cache.Figures.ResidentBytes, cache.Figures.DirtyBytes));
        Assert.Equal(old, Read(file, 0, 2 * Page));
        file.Write(0, Bytes(4, 10));
        Assert.Equal(Bytes(4, 10), Read(file, 0, 10));
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task A_page_whose_content_is_discarded_is_not_read_and_begins_with_zeros()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        Assert.False(file.TryLeaseForWrite(0, out _));
        Assert.True(file.TryLeaseForWrite(0, out var blind, discardContent: true));
        Assert.Equal(new byte[Page], blind.Memory.ToArray());
        Bytes(5, Page).CopyTo(blind.Span);
        await blind.CommitAsync();
        Assert.Equal(0, cache.Device.Reads);
        Assert.Equal(Bytes(5, Page), Read(file, 0, Page));

        using var loading = await file.LeaseForWriteAsync(Page);
        Assert.Equal(1, cache.Device.BlocksRead);
        loading.Dispose();
        Assert.True(file.TryLeaseForWrite(Page, out var resident));
        Assert.Equal(1, cache.Device.BlocksRead);
        resident.Dispose();
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task Other_writers_of_the_page_wait_and_can_give_up()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(3);
        var lease = await file.LeaseForWriteAsync(Page);
        lease.Span.Fill(1);
        Assert.False(file.TryLeaseForWrite(Page, out _));
        using var impatient = new CancellationTokenSource();
        var given = file.WriteAsync(Page - 10, new byte[20], cancellationToken: impatient.Token).AsTask();
        var leasing = file.LeaseForWriteAsync(Page, cancellationToken: impatient.Token).AsTask();
        var writing = file.WriteAsync(Page + 100, new byte[] { 2, 2 }).AsTask();
        var next = file.LeaseForWriteAsync(Page).AsTask();
        Assert.False(given.IsCompleted || leasing.IsCompleted || writing.IsCompleted || next.IsCompleted);
        await file.WriteAsync(2 * Page, new byte[10]).Within();
        impatient.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given.Within());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leasing.Within());
        Assert.False(writing.IsCompleted || next.IsCompleted);

        // Whichever of the two comes first.
        await lease.CommitAsync();
        using (var second = await next.Within())
        {
            second.Span[5] = 3;
            await second.CommitAsync();
        }

        await writing.Within();
        var bytes = Read(file, Page, Page);
        Assert.Equal((1, 3, 2, 2, 1), (bytes[0], bytes[5], bytes[100], bytes[101], bytes[102]));
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task A_clone_knows_nothing_of_its_origins_lease()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        file.Write(0, Bytes(1, Page));
        using var lease = await file.LeaseForWriteAsync(0);
        lease.Span.Fill(9);
        using var clone = file.Clone();
        await clone.WriteAsync(10, Bytes(2, 20)).Within();
        Assert.True(clone.TryLeaseForWrite(0, out var other));
        other.Span.Fill(8);
        other.Commit();
        lease.Commit();
        Assert.All(Read(file, 0, Page), value => Assert.Equal(9, value));
        Assert.All(Read(clone, 0, Page), value => Assert.Equal(8, value));
        await cache.Volume.FlushAsync();
        Assert.All(cache.DurableOf(file)[..Page], value => Assert.Equal(9, value));
        Assert.All(cache.DurableOf(clone)[..Page], value => Assert.Equal(8, value));
    }

    [Fact]
    [Trait("Row", "H4")]
    [Trait("Contract", "C9")]
    public async Task Leases_of_both_kinds_hold_at_most_half_and_a_flow_that_has_them_all_can_still_write()
    {
        using var cache = new WriteCache(frames: 64);
        var file = cache.OpenNew(200 * Page);
        var limit = (int)cache.Figures.LeaseLimit;
        using var reading = await cache.OpenMapped(1).PinAsync(0);
        var leases = new List<WriteLease>();
        while (file.TryLeaseForWrite(leases.Count * Page, out var lease, discardContent: true))
        {
            leases.Add(cache.Own(lease));
        }

        Assert.Equal(limit - 1, leases.Count);
        Assert.Equal(limit, cache.Figures.LeasedFrames);
        var waiting = file.LeaseForWriteAsync(150 * Page).AsTask();
        using var source = new CancellationTokenSource();
        var cancelled = file.LeaseForWriteAsync(151 * Page, cancellationToken: source.Token).AsTask();
        Assert.False(waiting.IsCompleted || cancelled.IsCompleted);
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.Within());

        // More pages than the cache has frames, with half of them leased.
        for (var page = 100; page < 200; page++)
        {
            await file.WriteAsync(page * Page, Bytes(page, Page)).Within();
        }

        await leases[0].CommitAsync().AsTask().Within();
        (await waiting.Within()).Dispose();
        foreach (var lease in leases.Skip(1))
        {
            lease.Span.Fill(1);
            await lease.CommitAsync().AsTask().Within();
        }

        Assert.Equal(1, cache.Figures.LeasedFrames);
        Assert.Equal(Bytes(150, Page), Read(file, 150 * Page, Page));
        Assert.All(Read(file, Page, (limit - 2) * Page), value => Assert.Equal(1, value));
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task The_smallest_cache_leases_one_page_and_goes_on()
    {
        using var cache = new WriteCache(frames: 3);
        var file = cache.OpenMapped(5);
        using var lease = await file.LeaseForWriteAsync(0);
        lease.Span.Fill(1);
        Assert.False(file.TryLeaseForWrite(Page, out _));
        for (var page = 1; page < 5; page++)
        {
            await file.WriteAsync((page * Page) + 5, Bytes(page, 100)).Within();
        }

        await lease.CommitAsync().AsTask().Within();
        Assert.All(Read(file, 0, Page), value => Assert.Equal(1, value));
        Assert.Equal(Bytes(4, 100), Read(file, (4 * Page) + 5, 100));
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task The_last_page_is_leased_as_far_as_the_file_goes_and_whoever_makes_it_longer_waits()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(Page + 100);
        file.Write(Page, Bytes(1, 100));
        using var lease = await file.LeaseForWriteAsync(Page);
        Assert.Equal(100, lease.Length);
        using var source = new CancellationTokenSource();
        var cancelled = file.SetLengthAsync(3 * Page, source.Token).AsTask();
        Assert.False(cancelled.IsCompleted);
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.Within());
        Assert.Equal(Page + 100, file.Length);

        var growing = file.WriteAsync(2 * Page, new byte[] { 5 }).AsTask();
        lease.Span.Fill(6);
        await lease.CommitAsync();
        await growing.Within();
        Assert.Equal((2 * Page) + 1, file.Length);
        var bytes = Read(file, Page, Page + 1);
        Assert.All(bytes[..100], value => Assert.Equal(6, value));
        Assert.All(bytes[100..^1], value => Assert.Equal(0, value));
        Assert.Equal(5, bytes[^1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.TryLeaseForWrite((2 * Page) + 1, out _));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.LeaseForWriteAsync(-1));
    }

    [Theory]
    [InlineData("punch")]
    [InlineData("punch of the page alone")]
    [InlineData("truncate")]
    [InlineData("truncate before the page")]
    [InlineData("truncate and grow")]
    [InlineData("truncate inside")]
    [Trait("Row", "H4")]
    [Trait("Contract", "C2")]
    public async Task A_commit_does_not_bring_back_what_was_cut_meanwhile(string cut)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var old = Read(file, 0, 4 * Page);
        using var lease = await file.LeaseForWriteAsync(2 * Page);
        lease.Span[9] = 200;
        switch (cut)
        {
            case "punch":
                await file.PunchHoleAsync(Page, 3 * Page);
                break;
            case "punch of the page alone":
                await file.PunchHoleAsync(2 * Page, Page);
                break;
            case "truncate":
                await file.SetLengthAsync(Page);
                break;
            case "truncate before the page":
                await file.SetLengthAsync(2 * Page);
                break;
            case "truncate inside":
                await file.SetLengthAsync((2 * Page) + 50);
                break;
            default:
                await file.SetLengthAsync(Page);
                await file.SetLengthAsync(4 * Page);
                break;
        }

        var shown = Read(file, 0, 5 * Page);
        var error = Assert.Throws<InvalidOperationException>(() => lease.Commit());
        Assert.Contains("still holds its bytes", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await lease.CommitAsync());
        Assert.Equal(shown, Read(file, 0, 5 * Page));
        Assert.Equal(200, lease.Span[9]);
        Assert.Equal(old[2 * Page], lease.Span[0]);

        // The bytes are the lessee's: an ordinary write puts them there.
        var bytes = lease.Memory.ToArray();
        lease.Dispose();
        await file.WriteAsync(2 * Page, bytes).Within();
        Assert.Equal(bytes, Read(file, 2 * Page, Page));
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task Cuts_of_other_pages_and_other_changes_of_the_file_do_not_refuse_a_commit()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        using var lease = await file.LeaseForWriteAsync(Page);
        lease.Span.Fill(4);
        await file.PunchHoleAsync(0, Page);
        await file.SetLengthAsync(3 * Page);
        await file.SetLengthAsync(9 * Page);
        file.InvalidateExtents(0, 9 * Page);
        using var clone = file.Clone();
        await cache.Volume.FlushAsync();
        await lease.CommitAsync();
        Assert.All(Read(file, Page, Page), value => Assert.Equal(4, value));
    }

    [Fact]
    [Trait("Row", "H4")]
    [Trait("Contract", "C7")]
    public async Task A_commit_that_fails_leaves_the_lease_as_it_was()
    {
        using var cache = new WriteCache(frames: 24);
        var file = cache.OpenMapped(40);
        using var clone = file.Clone();
        using var lease = await file.LeaseForWriteAsync(0);
        lease.Span.Fill(5);
        cache.Engine.Before = call => { if (call == "BeforeUnshare") { throw new IOException("no."); } };
        Assert.Throws<IOException>(() => lease.Commit());
        cache.Engine.Before = null;

        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        var page = 1;
        await Assert.ThrowsAsync<CacheWritebackException>(async () =>
        {
            for (; page < 40; page++)
            {
                await file.WriteAsync(page * Page, Bytes(page, Page)).Within();
            }
        });
        await Assert.ThrowsAsync<CacheWritebackException>(() => lease.CommitAsync().AsTask().Within());
        using var source = new CancellationTokenSource(20);
        await Assert.ThrowsAnyAsync<Exception>(() => lease.CommitAsync(cancellationToken: source.Token).AsTask().Within());
        Assert.Equal(5, lease.Span[0]);
        cache.Device.BeforeWrite = null;
        await CommitInTheEndAsync(lease);
        Assert.All(Read(file, 0, Page), value => Assert.Equal(5, value));
        Assert.NotEqual(5, Read(clone, 0, Page)[1]);
        await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
        await file.FlushAsync();
    }

    [Fact]
    [Trait("Row", "H4")]
    [Trait("Row", "E3")]
    public async Task The_page_waits_for_the_log_record_of_its_commit_and_of_what_it_replaces()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(2 * Page);
        file.Write(0, Bytes(1, Page), new Lsn(12));
        using (var lease = await file.LeaseForWriteAsync(0))
        {
            lease.Commit(new Lsn(11));
        }

        using (var lease = await file.LeaseForWriteAsync(Page))
        {
            lease.Commit(new Lsn(15));
        }

        await file.FlushAsync(0, Page);
        await file.FlushAsync();
        Assert.Equal([new Lsn(12), new Lsn(15)], cache.Engine.EnsuredDurable);
    }

    [Fact]
    [Trait("Row", "H4")]
    public void A_file_that_is_only_read_is_not_leased_for_writing()
    {
        using var cache = new TestCache();
        var file = cache.OpenRun(0, 2 * Page);
        Assert.Throws<NotSupportedException>(() => file.TryLeaseForWrite(0, out _));
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.TryLeaseForWrite(0, out _));
    }

    [Fact]
    [Trait("Row", "H4")]
    public async Task Many_who_count_in_one_page_lose_no_step()
    {
        using var cache = new WriteCache(frames: 24);
        var file = cache.OpenNew(3 * Page);
        var workers = Enumerable.Range(0, 6).Select(worker => Task.Run(async () =>
        {
            for (var i = 0; i < 150; i++)
            {
                using var lease = await file.LeaseForWriteAsync(Page);
                BitConverter.TryWriteBytes(lease.Span, BitConverter.ToInt32(lease.Span) + 1);
                if (i % 3 == worker % 3)
                {
                    await file.FlushAsync();
                }

                await lease.CommitAsync();
                await file.WriteAsync(Page + 100 + worker, new[] { (byte)i });
                if (i % 50 == 0)
                {
                    using var clone = file.Clone();
                    await clone.WriteAsync(Page, new byte[4]);
                }
            }
        })).ToArray();
        await Task.WhenAll(workers).Within();
        Assert.Equal(6 * 150, BitConverter.ToInt32(Read(file, Page, 4)));
        Assert.All(Read(file, Page + 100, 6), value => Assert.Equal(149, value));
    }

    private static async Task CommitInTheEndAsync(WriteLease lease)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await lease.CommitAsync().AsTask().Within();
                return;
            }
            catch (CacheWritebackException) when (attempt < 100)
            {
                // A round that began before the device was healed.
            }
        }
    }
}
