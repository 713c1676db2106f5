using System.Runtime.CompilerServices;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Checked;

/// <summary>Checked mode knows who leases what, and finds leases that are given back twice, used too late, leaked, or written to.</summary>
public class HolderTests
{
    private const int Page = CheckedCache.Page;

    /// <summary>Off checked mode the second release would take the other lessee's pin, and nobody would notice.</summary>
    [Fact]
    public async Task A_plain_value_that_is_released_twice_takes_no_other_pin()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        using var other = await file.PinAsync(0);
        Assert.True(file.TryKeep(0, out var page));
        var copy = page;
        page.Release();
        var error = Assert.Throws<InvalidOperationException>(copy.Release);
        var misuse = cache.AssertOne(CacheMisuseKind.ReleasedTwice);
        Assert.Equal(misuse.Message, error.Message);
        Assert.Contains("whose pin it would have taken: Memory lease", misuse.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(A_plain_value_that_is_released_twice_takes_no_other_pin), misuse.TakenAt, StringComparison.Ordinal);
        Assert.Equal(1, cache.Cache.Engine.Rooms.Frames[other.Frame.Value].PinsAcquire);
    }

    [Fact]
    public void A_stack_lease_whose_copy_is_disposed_is_found_and_the_same_variable_is_not()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        file.Read(0, new byte[8]);
        Assert.True(file.TryPin(0, out var lease));
        var copy = lease;
        lease.Dispose();
        lease.Dispose();
        Assert.Empty(cache.Found);
        var thrown = false;
        try
        {
            copy.Dispose();
        }
        catch (InvalidOperationException)
        {
            thrown = true;
        }

        Assert.True(thrown);
        cache.AssertOne(CacheMisuseKind.ReleasedTwice);
    }

    [Fact]
    public void A_copy_that_is_read_after_the_end_is_found()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        file.Read(0, new byte[8]);
        Assert.True(file.TryKeep(0, out var page));
        page.Release();
        Assert.Throws<ObjectDisposedException>(() => page.Span.Length);
        Assert.True(file.TryPin(0, out var lease));
        var copy = lease;
        lease.Dispose();
        var thrown = false;
        try
        {
            _ = copy.Span;
        }
        catch (ObjectDisposedException)
        {
            thrown = true;
        }

        Assert.True(thrown);
        Assert.Equal([CacheMisuseKind.UsedAfterRelease, CacheMisuseKind.UsedAfterRelease], cache.Found.Select(static misuse => misuse.Kind));
    }

    [Fact]
    public void Leaked_leases_are_told_with_the_stack_that_took_them()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        Leak(file);
        Bounded.Until(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return cache.Found.Count == 3;
            },
            "all three leaks were told");
        Assert.All(cache.Found, static misuse => Assert.Equal(CacheMisuseKind.Leaked, misuse.Kind));
        Assert.All(cache.Found, static misuse => Assert.Contains(nameof(Leak), misuse.TakenAt, StringComparison.Ordinal));
        Assert.Contains(cache.Found, static misuse => misuse.Message.Contains("write lease", StringComparison.Ordinal));
        Assert.Equal(3, cache.Cache.GetStatistics().LeakedLeases);
        Bounded.Until(() => cache.Cache.GetHolders().Count == 0, "they are held no more");

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Leak(MappedFile file)
        {
            _ = file.PinAsync(0).AsTask().GetAwaiter().GetResult();
            _ = file.PinRangeAsync(Page, 1).AsTask().GetAwaiter().GetResult();
            _ = file.LeaseForWriteAsync(2 * Page).AsTask().GetAwaiter().GetResult();
        }
    }

    [Fact]
    public async Task A_lessee_that_writes_is_told_when_it_gives_the_page_back()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        file.Write(0, "dirty, so that no checksum of the frame is frozen"u8);
        var lease = await file.PinAsync(1);
        CheckedCache.Scribble(lease.Memory);
        var error = Assert.Throws<CacheCorruptionException>(lease.Dispose);
        var misuse = cache.AssertCorruption(CacheMisuseKind.FrozenPageChanged);
        Assert.Equal(misuse.Message, Assert.Single(error.Violations));
        Assert.Contains("has changed while it was leased", misuse.Message, StringComparison.Ordinal);
        Assert.Equal(0, cache.Cache.Engine.Rooms.Frames[misuse.Frame.Value].PinsAcquire);
        lease.Dispose();
    }

    [Fact]
    public async Task A_range_of_which_one_page_was_written_is_given_back_as_a_whole()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        file.Write(0, new byte[3 * Page]);
        var range = await file.PinRangeAsync(0, 3 * Page);
        CheckedCache.Scribble(range.Sequence.First);
        Assert.Throws<CacheCorruptionException>(range.Dispose);
        Assert.Empty(cache.Cache.GetHolders());
        cache.AssertCorruption(CacheMisuseKind.FrozenPageChanged);
    }

    /// <summary>All holes of all files are one page of zeros.</summary>
    [Fact]
    public async Task Who_writes_to_the_page_of_zeros_is_told()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        file.SetLength(20 * Page);
        var lease = await file.PinAsync(18 * Page);
        CheckedCache.Scribble(lease.Memory);
        var memory = lease.Memory;
        Assert.Throws<CacheCorruptionException>(lease.Dispose);
        CheckedCache.Scribble(memory);
        Assert.Contains("the page of zeros", cache.AssertCorruption(CacheMisuseKind.FrozenPageChanged).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_write_in_place_beside_leases_is_no_misuse()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        for (var i = 0; i < 50; i++)
        {
            using var lease = await file.PinAsync(0);
            file.Write(i, [(byte)i]);
            using var later = await file.PinAsync(0);
            file.Write(i + 1, [(byte)i]);
        }

        Assert.Empty(cache.Found);
    }

    [Fact]
    public async Task Holders_are_listed_by_the_face_and_in_the_dump_until_they_end()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        file.Read(0, new byte[8]);
        var memory = await file.PinAsync(Page + 7);
        Assert.True(file.TryKeep(5, out var kept));
        var written = await file.LeaseForWriteAsync(3 * Page);
        var holders = cache.Cache.GetHolders();
        Assert.Equal([LeaseKind.Memory, LeaseKind.Kept, LeaseKind.Write], holders.Select(static holder => holder.Kind));
        Assert.Equal([Page + 7, 5L, 3 * Page], holders.Select(static holder => holder.Offset));
        Assert.Equal([memory.Frame, kept.Frame, written.Frame], holders.Select(static holder => holder.Frame));
        Assert.True(holders[0].Number < holders[1].Number && holders[1].Number < holders[2].Number);
        Assert.All(holders, holder => Assert.Equal(file.Id, holder.File));
        Assert.All(holders, static holder => Assert.Contains(nameof(Holders_are_listed_by_the_face_and_in_the_dump_until_they_end), holder.TakenAt, StringComparison.Ordinal));
        var dump = cache.Cache.Dump();
        Assert.All(holders, holder => Assert.Contains(holder.ToString(), dump, StringComparison.Ordinal));
        memory.Dispose();
        kept.Release();
        await written.CommitAsync();
        Assert.Empty(cache.Cache.GetHolders());
        Assert.Empty(cache.Found);
    }

    [Fact]
    public async Task A_lease_may_be_given_back_by_another_thread_and_by_many_at_once()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        for (var i = 0; i < 200; i++)
        {
            var lease = await file.PinAsync(0);
            Parallel.For(0, 4, _ => lease.Dispose());
        }

        Assert.Empty(cache.Found);
    }
}
