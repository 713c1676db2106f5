using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>Engines and devices that answer wrongly, or at an awkward moment, while pages are written back.</summary>
public class WriteRefusalTests
{
    private const int Page = 4096;

    public static TheoryData<string> WrongAnswers => new("short", "long", "overlapping", "overlapping in part", "unaligned", "beyond", "negative", "empty", "in use", "many");

    [Theory]
    [Trait("Contract", "C7")]
    [MemberData(nameof(WrongAnswers))]
    public async Task A_wrong_answer_of_Place_writes_nothing_and_loses_nothing(string kind)
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(3 * Page);
        file.Write(0, WriteTests.Bytes(1, 3 * Page));
        using var direct = cache.Volume.BeginDirectWrite(new BlockRun(200 * Page, Page));
        cache.Engine.Answer = answer => Wrong(kind, answer, cache.Device.Length);
        var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
        Assert.Equal(("Place", 0L, 3L * Page), (error.Step, error.Offset, error.Length));
        Assert.Equal(0, cache.Device.Writes);
        Assert.Empty(cache.Engine.Published);
        await HealAsync(cache, file);
    }

    [Fact]
    [Trait("Contract", "C7")]
    public async Task A_device_that_cannot_tell_its_length_has_nothing_published_that_was_not_written()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(3 * Page);
        file.Write(0, WriteTests.Bytes(1, 3 * Page));
        var asked = 0;
        cache.Device.BeforeLength = () =>
        {
            if (++asked == 2)
            {
                throw new IOException("gone.");
            }
        };
        var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
        Assert.Equal("Place", error.Step);
        Assert.Empty(cache.Engine.Published);
        Assert.Equal(0, cache.Engine.BlocksInUse);
        await HealAsync(cache, file);
    }

    [Theory]
    [Trait("Contract", "C7")]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(100)]
    [InlineData(int.MaxValue)]
    public async Task A_device_that_does_not_write_what_it_was_asked_fails_the_flush(int written)
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(3 * Page);
        file.Write(0, WriteTests.Bytes(1, 3 * Page));
        cache.Device.Accept = _ => written;
        var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
        Assert.Equal(("write", 0L), (error.Step, error.Offset));
        await HealAsync(cache, file);
    }

    [Fact]
    public async Task A_cancelled_flush_leaves_everything_dirty()
    {
        using var cache = new WriteCache();
        using var source = new CancellationTokenSource();
        var file = cache.OpenNew(3 * Page);
        file.Write(0, WriteTests.Bytes(1, 3 * Page));
        cache.Engine.DuringPlace = () =>
        {
            source.Cancel();
            return Task.FromCanceled(source.Token);
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await file.FlushAsync(source.Token));
        Assert.Equal(3 * Page, cache.Figures.DirtyBytes);
        await HealAsync(cache, file);
    }

    [Theory]
    [Trait("Contract", "C7")]
    [Trait("Row", "A7")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_failure_is_told_to_each_file_in_its_own_terms(bool inBackground)
    {
        using var cache = new WriteCache(dirtyAge: inBackground ? TimeSpan.FromMilliseconds(10) : null);
        using var one = cache.Volume.OpenFile(cache.Engine.Create(8 * Page), 8 * Page, new FileOpenOptions { Name = "tenant-1.db", Domain = new SecurityDomain(1) });
        using var two = one.Clone(new FileOpenOptions { Name = "tenant-2.db", Domain = new SecurityDomain(2) });
        cache.Device.BeforeWrite = static _ => throw new IOException("the disk is broken.");
        one.Write(3 * Page, WriteTests.Bytes(1, 2 * Page));
        two.CloneRange(one, 3 * Page, 6 * Page, 2 * Page);
        if (inBackground)
        {
            Bounded.Until(() => cache.Figures.WritebackFailures > 1, "the background writer has failed");
            cache.Device.BeforeWrite = null;
        }

        foreach (var (file, offset) in new[] { (one, 3 * Page), (two, 6 * Page) })
        {
            var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
            var told = error.InnerException as CacheWritebackException ?? error;
            Assert.Equal((file.Name, (long)offset), (told.FileName, told.Offset));
            Assert.DoesNotContain(file == one ? "tenant-2" : "tenant-1", error.ToString());
        }

        cache.Device.BeforeWrite = null;
        await HealAsync(cache, one);
        await two.FlushAsync();
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task A_write_that_waits_for_room_hears_of_the_failure_and_succeeds_when_it_is_healed()
    {
        using var cache = new WriteCache(frames: 24);
        var file = cache.OpenNew(30 * Page);
        cache.Device.BeforeWrite = static _ => throw new IOException("broken.");
        var page = 0;
        var error = Assert.Throws<CacheWritebackException>(() =>
        {
            for (; page < 30; page++)
            {
                file.Write(page * Page, WriteTests.Bytes(page, Page));
            }
        });
        Assert.Equal("write", error.Step);
        Assert.InRange(page, 1, 24);
        using var source = new CancellationTokenSource(30);
        await Assert.ThrowsAnyAsync<Exception>(async () => await file.WriteAsync(29 * Page, new byte[Page], cancellationToken: source.Token));
        cache.Device.BeforeWrite = null;
        for (; page < 30; page++)
        {
            await Bounded.Within(WriteAsync(file, page));
        }

        // What failed in the background is told once.
        await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.FlushAsync());
        await HealAsync(cache, file);
        Assert.Equal(WriteTests.Bytes(7, Page), WriteTests.Read(file, 7 * Page, Page));
    }

    [Fact]
    [Trait("Contract", "C9")]
    public async Task Writers_of_several_pages_do_not_wait_for_each_others_frames()
    {
        using var cache = new WriteCache(frames: 24);
        var file = cache.OpenMapped(48);
        var loads = new TaskCompletionSource();
        cache.Device.BeforeRead = _ => loads.Task;

        // Each prepares two pages and then needs the third from the device: together they have all frames but the last.
        var writers = Enumerable.Range(0, 12)
            .Select(i => Task.Run(async () => await file.WriteAsync(i * 4 * Page, WriteTests.Bytes(i, (2 * Page) + 10)))).ToArray();
        await Task.Delay(50);
        loads.SetResult();
        await Bounded.Within(Task.WhenAll(writers));
        for (var i = 0; i < 12; i++)
        {
            Assert.Equal(WriteTests.Bytes(i, (2 * Page) + 10), WriteTests.Read(file, i * 4 * Page, (2 * Page) + 10));
        }
    }

    [Fact]
    public async Task The_id_of_a_file_that_was_deleted_during_a_write_back_can_be_opened_at_once()
    {
        using var cache = new WriteCache();
        var options = new FileOpenOptions { Id = FileId.FromNumber(5) };
        var file = cache.Volume.OpenFile(cache.Engine.Create(Page), Page, options);
        file.Write(0, WriteTests.Bytes(1, Page));
        MappedFile? next = null;
        cache.Engine.DuringPlace = () =>
        {
            file.Delete();
            next = cache.Own(cache.Volume.OpenFile(cache.Engine.Create(2 * Page), 2 * Page, options));
            next.Write(0, WriteTests.Bytes(2, 2 * Page));
            return Task.CompletedTask;
        };
        await cache.Volume.FlushAsync();
        cache.Engine.DuringPlace = null;
        await cache.Volume.FlushAsync();
        Assert.Equal(WriteTests.Bytes(2, 2 * Page), WriteTests.Read(next!, 0, 3 * Page));
        Assert.Equal(WriteTests.Bytes(2, 2 * Page), cache.DurableOf(next!));
        Assert.Equal(1, cache.Figures.OpenFiles);
    }

    [Fact]
    [Trait("Contract", "C6")]
    public async Task A_page_that_is_copied_for_a_clone_between_the_look_of_a_flush_and_its_write_is_flushed_too()
    {
        using var cache = new WriteCache(frames: 4096, pageSize: 512, deviceLength: 4 << 20);
        var file = cache.OpenNew(1100 * 512);
        file.Write(0, WriteTests.Bytes(1, 1100 * 512));
        var flushed = WriteTests.Read(file, 0, 1100 * 512);

        // The flush has looked, and writes the first batch; the last pages freeze only afterwards.
        cache.Engine.DuringPlace = () =>
        {
            cache.Engine.DuringPlace = null;
            using var clone = file.Clone();
            file.Write(1099 * 512, flushed.AsSpan(1099 * 512, 512));
            return Task.CompletedTask;
        };
        await file.FlushAsync();
        Assert.Equal(flushed, cache.DurableOf(file));
    }

    [Fact]
    [Trait("Contract", "C2")]
    public async Task An_invalidation_during_a_publication_does_not_hide_the_next_change()
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        var extents = (PageEngine.PageFile)file.Extents;
        file.Write(0, WriteTests.Bytes(1, Page));
        var invalidation = Task.CompletedTask;
        cache.Engine.AfterBinding = () =>
        {
            cache.Engine.AfterBinding = null;
            invalidation = Task.Run(() => file.InvalidateExtents(0, 0));
            invalidation.Wait(50);
        };
        await file.FlushAsync();
        await invalidation;
        WriteTests.Read(file, 0, 2 * Page);

        // The engine has begun to change the second page, and has not said so yet.
        extents.Rebind(1, 100);
        using var clone = file.Clone();
        Assert.Equal(cache.Device.Copy(100 * Page, Page), WriteTests.Read(clone, Page, Page));
        file.InvalidateExtents(Page, Page);
        Assert.Equal(cache.Device.Copy(100 * Page, Page), WriteTests.Read(file, Page, Page));
    }

    /// <summary>An answer to three pages that breaks a rule; what lies at page 200 is in use.</summary>
    internal static List<PlacedRun> Wrong(string kind, List<PlacedRun> answer, long deviceLength) => kind switch
    {
        "short" => answer[..^1],
        "long" => [.. answer[..^1], new PlacedRun(new BlockRun(answer[^1].Blocks.Offset, 2 * Page))],
        "overlapping" => [answer[0], .. answer[..^1]],
        "overlapping in part" => [new PlacedRun(new BlockRun(100 * Page, 2 * Page)), new PlacedRun(new BlockRun(101 * Page, Page))],
        "unaligned" => [new PlacedRun(new BlockRun(answer[0].Blocks.Offset + 512, Page)), .. answer[1..]],
        "beyond" => [new PlacedRun(new BlockRun(deviceLength, Page)), .. answer[1..]],
        "negative" => [new PlacedRun(new BlockRun(-Page, Page)), .. answer[1..]],
        "in use" => [new PlacedRun(new BlockRun(200 * Page, Page)), .. answer[1..]],
        "empty" => [new PlacedRun(new BlockRun(answer[0].Blocks.Offset, 0)), .. answer],
        _ => [.. answer, new PlacedRun(new BlockRun(100 * Page, Page))],
    };

    private static async Task WriteAsync(MappedFile file, int page)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await file.WriteAsync(page * Page, WriteTests.Bytes(page, Page));
                return;
            }
            catch (CacheWritebackException) when (attempt < 100)
            {
                // A round that began before the device was healed.
            }
        }
    }

    private static async Task HealAsync(WriteCache cache, MappedFile file)
    {
        cache.Device.BeforeLength = null;
        cache.Device.Accept = null;
        cache.Engine.Answer = null;
        cache.Engine.DuringPlace = null;
        var expected = WriteTests.Read(file, 0, (int)file.Length);
        await file.FlushAsync();
        Assert.Equal(0, cache.Figures.DirtyBytes);
        Assert.Equal(expected, cache.DurableOf(file));
    }
}
