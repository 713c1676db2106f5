using SharedPageCache.Frames;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Checked;

/// <summary>Checked mode finds memory that is written by who may not: each way is planted once, and found once.</summary>
public class FrameGuardTests
{
    private const int Page = CheckedCache.Page;

    public static TheoryData<EvictionPolicy> Policies => [.. Enum.GetValues<EvictionPolicy>()];

    [Fact]
    public async Task A_write_through_the_memory_of_a_lease_that_has_ended_is_found_when_the_frame_is_free()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        var lease = await file.PinAsync(3 * Page);
        var memory = lease.Memory;
        var frame = lease.Frame;
        lease.Dispose();
        cache.TurnOver();
        Assert.Empty(cache.Found);
        CheckedCache.Scribble(memory);
        cache.TurnOver();
        var misuse = cache.AssertCorruption(CacheMisuseKind.WriteAfterFree);
        Assert.Equal(frame, misuse.Frame);
        Assert.Contains("bytes 5 to 5", misuse.Message, StringComparison.Ordinal);
        Assert.Contains("block 3 of volume", misuse.Message, StringComparison.Ordinal);
        Assert.Contains($"given back by thread {Environment.CurrentManagedThreadId}", misuse.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(A_write_through_the_memory_of_a_lease_that_has_ended_is_found_when_the_frame_is_free), misuse.TakenAt, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_self_check_finds_a_write_to_a_free_frame_that_nobody_has_taken_yet()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        var lease = await file.PinAsync(0);
        var memory = lease.Memory;
        lease.Dispose();
        cache.TurnOver();
        cache.Cache.Verify();
        CheckedCache.Scribble(memory, Page - 1);
        cache.Spoiled();
        var error = Assert.Throws<CacheCorruptionException>(cache.Cache.Verify);
        Assert.Contains("was written after it had come free", Assert.Single(error.Violations), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_write_lease_that_is_written_after_it_was_given_up_is_found()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        var lease = await file.LeaseForWriteAsync(Page);
        var memory = lease.Memory;
        lease.Dispose();
        memory.Span[7] = 1;
        cache.TurnOver();
        var misuse = cache.AssertCorruption(CacheMisuseKind.WriteAfterFree);
        Assert.Contains("Write lease", misuse.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_writes_to_its_buffer_after_the_read_has_failed_is_found()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        var kept = Memory<byte>.Empty;
        cache.Device.Inspect = (_, buffers) => kept = buffers[0];
        cache.Device.AfterRead = static _ => throw new IOException("planted");
        Assert.Throws<PageLoadException>(() => file.Read(0, new byte[8]));
        cache.Device.AfterRead = null;
        CheckedCache.Scribble(kept);
        cache.TurnOver();
        cache.AssertCorruption(CacheMisuseKind.WriteAfterFree);
    }

    [Fact]
    public void A_device_that_writes_to_its_buffer_after_the_read_has_completed_is_found_at_eviction()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        var kept = Memory<byte>.Empty;
        cache.Device.Inspect = (_, buffers) => kept = buffers[0];
        file.Read(0, new byte[8]);
        cache.Cache.Verify();
        CheckedCache.Scribble(kept);
        cache.TurnOver();
        var misuse = cache.AssertCorruption(CacheMisuseKind.FrozenPageChanged);
        Assert.Contains("when its tenancy ended", misuse.Message, StringComparison.Ordinal);
        Assert.Contains("block 0 of volume", misuse.Message, StringComparison.Ordinal);
        Assert.Contains("it was never leased", misuse.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_read_around_the_cache_whose_device_goes_on_writing_is_found()
    {
        using var cache = new CheckedCache(frames: 16);
        var file = cache.OpenMapped();
        var rooms = cache.Cache.Engine.Rooms;
        var taken = new List<int>();
        while (rooms.Supply.TryTake(default, out var frame))
        {
            taken.Add(frame);
        }

        var kept = Memory<byte>.Empty;
        cache.Device.Inspect = (_, buffers) => kept = buffers[0];
        file.Read(0, new byte[8]);
        Assert.Equal(1, cache.Cache.GetStatistics().ReadsAround);
        CheckedCache.Scribble(kept);
        for (var i = 0; i < rooms.Plan.Reserve; i++)
        {
            file.Read(0, new byte[8]);
        }

        taken.ForEach(rooms.Pool.Push);
        cache.AssertCorruption(CacheMisuseKind.WriteAfterFree);
    }

    [Fact]
    public void The_self_check_finds_a_change_of_a_clean_page_that_is_in_use()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        file.Read(0, new byte[8]);
        Assert.True(file.TryPin(0, out var lease));
        var bytes = lease.Span;
        lease.Dispose();
        CheckedCache.Scribble(bytes);
        cache.Spoiled();
        var error = Assert.Throws<CacheCorruptionException>(cache.Cache.Verify);
        Assert.Contains("has changed under everybody", Assert.Single(error.Violations), StringComparison.Ordinal);
    }

    /// <summary>What was damaged in memory must not be written to the device as a part of a new page.</summary>
    [Fact]
    public void A_write_that_would_copy_a_damaged_page_is_refused()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        using var clone = file.Clone();
        var before = new byte[Page];
        file.Read(0, before);
        Assert.True(file.TryPin(0, out var lease));
        CheckedCache.Scribble(lease.Span);
        var bytes = lease.Span;
        var thrown = false;
        try
        {
            lease.Dispose();
        }
        catch (CacheCorruptionException)
        {
            thrown = true;
        }

        Assert.True(thrown);
        var found = cache.Found.Count;
        var error = Assert.Throws<CacheCorruptionException>(() => file.Write(8, "abc"u8));
        Assert.Contains("when it was copied for a write", error.Message, StringComparison.Ordinal);
        Assert.Equal(found + 1, cache.Found.Count);
        Assert.Equal(0, cache.Cache.GetStatistics().DirtyBytes);
        CheckedCache.Scribble(bytes);
        cache.Spoiled();
    }

    [Fact]
    public async Task A_page_that_changes_while_it_is_written_back_is_found()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        file.Write(0, "abc"u8);
        Assert.True(file.TryKeep(0, out var page));
        cache.Device.BeforeWrite = _ =>
        {
            CheckedCache.Scribble(page.Span);
            return Task.CompletedTask;
        };
        await file.FlushAsync();
        var misuse = cache.AssertCorruption(CacheMisuseKind.FrozenPageChanged);
        Assert.Contains("when its write-back ended", misuse.Message, StringComparison.Ordinal);
        Assert.Throws<CacheCorruptionException>(page.Release);
    }

    [Fact]
    public async Task A_range_clone_that_would_copy_a_damaged_page_is_refused()
    {
        using var cache = new CheckedCache();
        var (file, other) = (cache.OpenMapped(), cache.OpenMapped());
        file.Read(0, new byte[8]);
        Assert.True(file.TryPin(0, out var lease));
        var bytes = lease.Span;
        lease.Dispose();
        Damage(bytes);
        cache.Spoiled();
        await Assert.ThrowsAsync<CacheCorruptionException>(async () => await other.CloneRangeAsync(file, 1, 4 * Page, Page / 2));

        // Evicted and read again it is whole.
        cache.TurnOver();
        await other.CloneRangeAsync(file, 1, 4 * Page, Page / 2);

        static void Damage(ReadOnlySpan<byte> bytes) => CheckedCache.Scribble(bytes);
    }

    /// <summary>Reads, writes, clones, leases, flushes, discards, evictions, growth, failures: no report.</summary>
    [Theory]
    [MemberData(nameof(Policies))]
    public async Task Right_use_is_silent(EvictionPolicy policy)
    {
        using var cache = new CheckedCache(frames: 16, options => options.Policy = policy);
        var dice = new SharedPageCache.TestKit.Runs.Dice(7);
        var file = cache.OpenMapped();
        var buffer = new byte[4 * Page];
        for (var i = 0; i < 2000; i++)
        {
            var offset = dice.Below(15L) * Page;
            switch (dice.Below(9))
            {
                case 0:
                    file.Write(offset + dice.Below(Page), buffer.AsSpan(0, 1 + dice.Below(Page)));
                    break;
                case 1:
                    using (var clone = file.Clone())
                    {
                        clone.Read(offset, buffer);
                        clone.Write(offset, buffer.AsSpan(0, Page));
                    }

                    break;
                case 2:
                    using (var lease = await file.PinAsync(offset))
                    {
                        file.Write(offset + 1, buffer.AsSpan(0, 9));
                        await Task.Yield();
                    }

                    break;
                case 3:
                    using (var range = await file.PinRangeAsync(offset, 2 * Page))
                    {
                        cache.TurnOver();
                    }

                    break;
                case 4:
                    using (var lease = await file.LeaseForWriteAsync(offset))
                    {
                        lease.Span[0]++;
                        if (dice.OneIn(2))
                        {
                            await lease.CommitAsync();
                        }
                    }

                    break;
                case 5:
                    await file.FlushAsync();
                    break;
                case 6:
                    cache.Device.BeforeRead = dice.OneIn(2) ? static _ => throw new IOException("planted") : null;
                    try
                    {
                        file.Read(offset, buffer);
                    }
                    catch (PageLoadException)
                    {
                    }

                    cache.Device.BeforeRead = null;
                    break;
                case 7:
                    if (file.TryKeep(offset, out var page))
                    {
                        page.Span.CopyTo(buffer);
                        page.Release();
                    }

                    break;
                default:
                    cache.TurnOver();
                    break;
            }
        }

        Assert.Empty(cache.Found);
        Assert.Empty(cache.Cache.GetHolders());
    }

    [Fact]
    public void A_free_frame_waits_in_the_quarantine_and_is_counted()
    {
        using var cache = new CheckedCache(frames: 32);
        var rooms = cache.Cache.Engine.Rooms;
        var free = rooms.Pool.FreeCount;
        Assert.True(rooms.Supply.TryTake(default, out var frame));
        rooms.Pool.Push(frame);
        Assert.Equal((free - 1, 1), (rooms.Pool.FreeCount, rooms.Pool.QuarantinedCount));
        Assert.Equal(0, cache.Cache.GetStatistics().ResidentBytes);
        cache.Cache.Verify();
        for (var i = 0; i < Quarantine.DepthFor(32); i++)
        {
            Assert.True(rooms.Supply.TryTake(default, out var next));
            Assert.NotEqual(frame, next);
            rooms.Pool.Push(next);
        }

        // The oldest has left; the last frames are given out before a read goes without.
        Assert.True(rooms.Supply.TryTake(default, out var again));
        Assert.Equal(frame, again);
        var taken = new List<int> { again };
        while (rooms.Supply.TryTake(default, out var next))
        {
            taken.Add(next);
        }

        Assert.Equal(free, taken.Distinct().Count());
        taken.ForEach(rooms.Pool.Push);
    }

    /// <summary>Dirty Pipe: no field of a descriptor comes from the last tenant.</summary>
    [Fact]
    public void Descriptors_of_free_frames_are_garbage_and_those_that_are_given_out_are_new()
    {
        using var cache = new CheckedCache();
        var file = cache.OpenMapped();
        for (var i = 0; i < 5; i++)
        {
            file.Read(0, new byte[16 * Page]);
        }

        file.Write(3, "abc"u8);
        var rooms = cache.Cache.Engine.Rooms;
        Assert.True(rooms.Supply.TryTake(default, out var frame));
        rooms.Pool.Push(frame);
        ref var header = ref rooms.Frames[frame];
        Assert.NotEqual((0, 0L, -1), (header.Use, header.Identity, header.Previous));
        Assert.False(rooms.Frames.IdentityOf(frame).IsSome);
        var taken = new List<int>();
        while (rooms.Supply.TryTake(default, out var next))
        {
            taken.Add(next);
            header = ref rooms.Frames[next];
            Assert.Equal((0, 0, 0L, 0L, -1, -1), (header.Use, header.Queue, header.Identity, header.Record, header.Previous, header.Following));
        }

        taken.ForEach(rooms.Pool.Push);
    }

    [Fact]
    public void A_frame_that_comes_free_with_a_field_set_is_reported()
    {
        using var cache = new CheckedCache();
        var rooms = cache.Cache.Engine.Rooms;
        Assert.True(rooms.Supply.TryTake(default, out var frame));
        rooms.Frames[frame].Queue = 3;
        rooms.Pool.Push(frame);
        rooms.Frames[frame].Queue = 0;
        cache.AssertCorruption(CacheMisuseKind.StaleDescriptor);
    }

    [Fact]
    public void A_listener_that_throws_or_calls_the_cache_does_no_harm()
    {
        PageCache? self = null;
        var refused = 0;
        using var cache = new CheckedCache(configure: options =>
        {
            var note = options.CheckedReport!;
            options.CheckedReport = misuse =>
            {
                note(misuse);
                try
                {
                    self!.Dispose();
                }
                catch (InvalidOperationException)
                {
                    refused++;
                }

                throw new InvalidOperationException("planted");
            };
        });
        self = cache.Cache;
        var file = cache.OpenMapped();
        file.Read(0, new byte[8]);
        Assert.True(file.TryKeep(0, out var page));
        page.Release();
        Assert.Throws<InvalidOperationException>(page.Release);
        Assert.Equal(1, refused);
        cache.AssertOne(CacheMisuseKind.ReleasedTwice);
    }

    [Fact]
    public async Task Memory_of_a_disposed_cache_that_somebody_writes_is_found_too()
    {
        var cache = new CheckedCache();
        var file = cache.OpenMapped();
        var lease = await file.PinAsync(0);
        var memory = lease.Memory;
        cache.Cache.Dispose();
        lease.Dispose();
        cache.Cache.Verify();
        CheckedCache.Scribble(memory);
        Assert.Throws<CacheCorruptionException>(cache.Cache.Verify);
    }

    [Fact]
    public void Nothing_of_it_is_there_while_the_option_is_off()
    {
        using var cache = new PageCache(new PageCacheOptions { ExactFrameCount = 16, HugePages = false });
        using var volume = cache.AttachVolume(new MemoryDevice(1 << 16));
        using var file = volume.OpenFile(new ListExtents(new Extent(0, 1 << 16, 0)), 1 << 16);
        file.Read(0, new byte[8]);
        Assert.True(file.TryKeep(0, out var page));
        Assert.Null(cache.Engine.Rooms.Checked);
        Assert.Empty(cache.GetHolders());
        Assert.DoesNotContain("Checked mode", cache.Dump(), StringComparison.Ordinal);
        page.Release();
        cache.Verify();
        Assert.Equal(48, System.Runtime.CompilerServices.Unsafe.SizeOf<FrameHeader>());
    }
}
