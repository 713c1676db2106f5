using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Pages that go to the device at once and leave nothing in the cache.</summary>
public class WriteAroundTests
{
    private const int Page = 4096;

    [Theory]
    [Trait("Row", "F6")]
    [Trait("Row", "L24")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_written_around_is_durable_read_by_all_and_in_no_frame(bool inPlace)
    {
        using var cache = new WriteCache(inPlace: inPlace);
        var file = cache.OpenMapped(16);
        var old = Read(file, 0, 16 * Page);
        file.Write(4 * Page, Bytes(1, 2 * Page));
        file.Write(9 * Page, Bytes(2, 10));
        var clone = cache.Own(file.Clone());
        var stranger = cache.Own(cache.Volume.OpenFile(new ListExtents(new Extent(0, 16 * Page, 0)), 16 * Page));
        var expected = Read(clone, 0, 16 * Page);
        await clone.WriteAroundAsync(3 * Page, Bytes(3, 4 * Page));
        Bytes(3, 4 * Page).CopyTo(expected, 3 * Page);
        Assert.All(Enumerable.Range(3, 4), page => Assert.False(clone.IsResident(page * Page)));
        Assert.True(clone.IsResident(9 * Page));
        Assert.Equal(Bytes(3, 4 * Page), cache.DurableOf(clone)[(3 * Page)..(7 * Page)]);
        Assert.Equal(expected, Read(clone, 0, 16 * Page));

        // The others show what they showed, dirty pages included.
        Assert.Equal(old, Read(stranger, 0, 16 * Page));
        Assert.Equal(Bytes(1, 2 * Page), Read(file, 4 * Page, 2 * Page));
        Assert.Equal(3 * Page, cache.Figures.DirtyBytes);
        await cache.Volume.FlushAsync();
        Assert.Equal(expected, cache.DurableOf(clone));
        Assert.Equal(Bytes(1, 2 * Page), cache.DurableOf(file)[(4 * Page)..(6 * Page)]);
    }

    [Fact]
    [Trait("Row", "F6")]
    public async Task Dirty_pages_of_the_range_are_dropped_and_their_neighbours_stay()
    {
        using var cache = new WriteCache(frames: 256);
        var file = cache.OpenNew(600 * Page);
        file.Write(0, Bytes(1, 2 * Page));
        await file.WriteAroundAsync(Page, Bytes(2, 300 * Page));
        Assert.Equal(Page, cache.Figures.DirtyBytes);
        var expected = Bytes(1, 600 * Page);
        expected.AsSpan(Page).Clear();
        Bytes(1, 2 * Page).AsSpan(0, Page).CopyTo(expected);
        Bytes(2, 300 * Page).CopyTo(expected, Page);
        Assert.Equal(expected, Read(file, 0, 600 * Page));
        await file.FlushAsync();
        Assert.Equal(expected, cache.DurableOf(file));

        // The end of the file may be the end of the write.
        file.SetLength(600 * Page + 77);
        await file.WriteAroundAsync(600 * Page, Bytes(3, 77));
        Assert.Equal(Bytes(3, 77), cache.DurableOf(file)[(600 * Page)..]);
        file.SetLength(601 * Page);
        Assert.Equal(new byte[Page - 77], Read(file, 600 * Page + 77, Page - 77));
    }

    [Theory]
    [Trait("Contract", "C7")]
    [InlineData("EnsureDurable")]
    [InlineData("Place")]
    [InlineData("write")]
    [InlineData("flush")]
    [InlineData("Publish")]
    public async Task A_step_that_fails_is_told_and_nothing_has_changed(string step)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(8);
        file.Write(Page, Bytes(1, 10));
        var before = Read(file, 0, 8 * Page);
        var blocks = cache.Engine.BlocksInUse;
        cache.Engine.Before = port =>
        {
            if (port == step)
            {
                throw new IOException("no.");
            }
        };
        cache.Device.BeforeWrite = step == "write" ? static _ => throw new IOException("no.") : null;
        cache.Device.BeforeFlush = step == "flush" ? static () => throw new IOException("no.") : null;
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.WriteAroundAsync(0, Bytes(2, 4 * Page), new Lsn(1)).AsTask());
        Assert.Equal((step, 0L), (error.Step, error.Offset));
        (cache.Engine.Before, cache.Device.BeforeWrite, cache.Device.BeforeFlush) = (null, null, null);
        Assert.Equal(before, Read(file, 0, 8 * Page));
        Assert.Equal(Page, cache.Figures.DirtyBytes);
        Assert.Equal(blocks, cache.Engine.BlocksInUse);
        await file.WriteAroundAsync(0, Bytes(2, 4 * Page));
        Assert.Equal(Bytes(2, 4 * Page), cache.DurableOf(file)[..(4 * Page)]);
    }

    [Fact]
    [Trait("Row", "F6")]
    public async Task A_file_that_changes_meanwhile_is_written_anew()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(8);
        MappedFile? clone = null;
        var changes = new Queue<Func<Task>>([
            () => file.PunchHoleAsync(0, 3 * Page).AsTask(),
            () => Task.FromResult(clone = cache.Own(file.Clone())),
            () => file.SetLengthAsync(5 * Page).AsTask()]);
        var writes = 0;
        cache.Device.BeforeWrite = _ => writes++ % 4 == 0 && changes.TryDequeue(out var change) ? change() : Task.CompletedTask;
        await file.WriteAroundAsync(Page, Bytes(1, 4 * Page));
        Assert.Empty(changes);
        Assert.Equal(Bytes(1, 4 * Page), Read(file, Page, 4 * Page));
        Assert.Equal(new byte[Page], Read(file, 0, Page));
        Assert.NotEqual(Bytes(1, 4 * Page), Read(clone!, Page, 4 * Page));
        Assert.Equal(3 * 4, cache.Engine.Abandoned.Count);
        cache.Device.BeforeWrite = _ => file.SetLengthAsync(2 * Page).AsTask();
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.WriteAroundAsync(Page, Bytes(2, 4 * Page)).AsTask());
        Assert.Equal(Bytes(1, 4 * Page)[..Page], Read(file, Page, Page));
        cache.Device.BeforeWrite = _ =>
        {
            file.Dispose();
            return Task.CompletedTask;
        };
        await Assert.ThrowsAsync<ObjectDisposedException>(() => file.WriteAroundAsync(0, Bytes(2, Page)).AsTask());
    }

    [Fact]
    [Trait("Row", "F6")]
    public async Task An_engine_that_says_while_it_places_that_the_file_lies_elsewhere_is_not_asked_for_ever()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(8);
        cache.Engine.DuringPlace = () =>
        {
            file.InvalidateExtents(0, 0);
            return Task.CompletedTask;
        };
        await file.WriteAroundAsync(Page, Bytes(1, 4 * Page)).AsTask().Within();
        Assert.Equal((1, 0), (cache.Engine.Placements, cache.Engine.Abandoned.Count));
        Assert.Equal(Bytes(1, 4 * Page), Read(file, Page, 4 * Page));

        // A file that gets too short while the engine places has nothing written.
        var writes = cache.Device.Writes;
        cache.Engine.DuringPlace = () => file.SetLengthAsync(2 * Page).AsTask();
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.WriteAroundAsync(Page, Bytes(2, 4 * Page)).AsTask().Within());
        Assert.Equal(writes, cache.Device.Writes);
        Assert.Equal(Bytes(1, 4 * Page)[..Page], Read(file, Page, Page));
    }

    [Fact]
    [Trait("Row", "F6")]
    [Trait("Contract", "C3")]
    public async Task Readers_see_the_old_page_until_it_is_published_and_writers_of_it_wait()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var old = Read(file, 0, 4 * Page);
        var writing = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        cache.Device.BeforeWrite = _ =>
        {
            arrived.TrySetResult();
            return writing.Task;
        };
        var around = file.WriteAroundAsync(0, Bytes(1, 2 * Page)).AsTask();
        await arrived.Task.Within();
        Assert.Equal(old, Read(file, 0, 4 * Page));
        file.Write(3 * Page, Bytes(2, 5));
        var late = file.WriteAsync(Page + 10, Bytes(3, 5)).AsTask();
        await Task.Delay(30);
        Assert.False(late.IsCompleted);
        using var stop = new CancellationTokenSource();
        var another = file.WriteAroundAsync(0, Bytes(4, Page), cancellationToken: stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => another).Within();
        writing.SetResult();
        await around.Within();
        await late.Within();
        var expected = Bytes(1, 2 * Page);
        Bytes(3, 5).CopyTo(expected, Page + 10);
        Assert.Equal(expected, Read(file, 0, 2 * Page));
        Assert.Equal(Bytes(2, 5), Read(file, 3 * Page, 5));
    }

    [Fact]
    [Trait("Row", "B9")]
    [Trait("Row", "E3")]
    [Trait("Row", "E8")]
    public async Task The_ports_are_asked_as_by_a_write_back()
    {
        using var cache = new WriteCache(seal: new LastWordSeal());
        var file = cache.OpenNew(4 * Page);
        var clone = cache.Own(file.Clone());
        await clone.WriteAroundAsync(0, Bytes(1, 4 * Page), new Lsn(9));
        Assert.Equal((1, 1), (cache.Engine.Unshares, cache.Engine.Persists));
        Assert.Equal([new Lsn(9)], cache.Engine.EnsuredDurable);
        var owner = Assert.Single(cache.Engine.Published[0].Owners);
        Assert.Equal((clone.Extents, 0L), (owner.File, owner.FileOffset));
        Assert.Equal(Bytes(1, 4 * Page)[..(Page - 8)], Read(clone, 0, Page - 8));
        Assert.Throws<MergeConflictException>(() => file.Clone().MergeInto(clone));
        clone.MergeInto(file);
        Assert.Equal(Read(clone, 0, 4 * Page), Read(file, 0, 4 * Page));
    }

    [Fact]
    public async Task Wrong_ranges_and_answers_are_refused()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(4);
        var before = Read(file, 0, 4 * Page);
        await Assert.ThrowsAsync<ArgumentException>(() => file.WriteAroundAsync(1, new byte[Page]).AsTask());
        await Assert.ThrowsAsync<ArgumentException>(() => file.WriteAroundAsync(0, new byte[Page - 1]).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.WriteAroundAsync(-Page, new byte[Page]).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.WriteAroundAsync(3 * Page, new byte[2 * Page]).AsTask());
        await file.WriteAroundAsync(Page, default);
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => file.WriteAroundAsync(0, new byte[Page], cancellationToken: stop.Token).AsTask());
        using var plain = cache.Volume.OpenFile(new ListExtents(new Extent(0, Page, 0)), Page);
        await Assert.ThrowsAsync<NotSupportedException>(() => plain.WriteAroundAsync(0, new byte[Page]).AsTask());
        cache.Engine.Answer = static _ => [];
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.WriteAroundAsync(0, new byte[Page]).AsTask());
        Assert.Equal("Place", error.Step);
        Assert.Equal(before, Read(file, 0, 4 * Page));
        Assert.Equal(0, cache.Device.Writes);
    }
}
