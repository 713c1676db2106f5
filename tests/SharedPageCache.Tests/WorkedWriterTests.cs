using System.Buffers;
using SharedPageCache.TestKit.Faults;
using SharedPageCache.Tests.Support;
using SharedPageCache.Tests.WorkedWriter;

namespace SharedPageCache.Tests;

/// <summary>The writing engine of docs/engine-guide.md compiles, is what the guide shows, and keeps what is written.</summary>
public sealed class WorkedWriterTests : IAsyncLifetime
{
    private const int Page = 4096;
    private const int DeviceBlocks = 65;
    private const int Usable = DeviceBlocks - 1;

    private readonly MemoryDevice _memory = new((long)DeviceBlocks * Page);

    // Nothing is written in the background before ten pages are dirty.
    private readonly PageCache _cache = new(new PageCacheOptions
    {
        PageSize = Page, ExactFrameCount = 24, HugePages = false, MaxReadAheadPages = 0, DirtyAge = TimeSpan.FromHours(1),
        DirtyStartBytes = 10 * Page, DirtyThrottleBytes = 10 * Page, DirtyLimitBytes = 10 * Page,
    });
    private readonly WritableStore _store;
    private bool _failsWrites;

    public WorkedWriterTests() => _store = new WritableStore(_cache, new FaultyDevice(_memory, FaultPlan.None)
    {
        Before = call =>
        {
            if (_failsWrites && call == "write")
            {
                throw new IOException("The device does not write.");
            }
        },
    });

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _cache.Verify();
        await _store.DisposeAsync();
        _cache.Verify();
        await _cache.DisposeAsync();
    }

    [Fact]
    [Trait("Row", "J2")]
    public void The_guide_shows_it_word_for_word() =>
        Assert.Equal(
            Snippet.OfSource("tests/SharedPageCache.Tests/WorkedWriter.cs", "worked-writer"),
            Snippet.OfPage("docs/engine-guide.md", "## A whole engine that writes"));

    [Fact]
    [Trait("Row", "E2")]
    public async Task A_clone_that_is_made_while_pages_are_dirty_has_them_and_both_are_written()
    {
        using var origin = _store.Create();
        var ofOrigin = new byte[(5 * Page) + 100];
        Write(origin, ofOrigin, 0, Bytes(ofOrigin.Length, 1));
        using var clone = origin.Clone();
        var ofClone = ofOrigin.ToArray();
        Write(clone, ofClone, 5000, Bytes(200, 2));
        Write(origin, ofOrigin, Page - 50, Bytes(100, 3));
        await _cache.FlushAsync();

        // Pages 0 and 1 of both, and four more that they share.
        Assert.Equal(Usable - 8, _store.FreeBlocks);
        Shows(origin, ofOrigin);
        Shows(clone, ofClone);
        Write(clone, ofClone, 3 * Page, Bytes(Page, 4));
        await clone.FlushAsync();
        Assert.Equal(Usable - 9, _store.FreeBlocks);
        Shows(origin, ofOrigin);
        Shows(clone, ofClone);
    }

    [Fact]
    [Trait("Row", "E1")]
    public async Task Blocks_come_free_with_the_flush_after_the_last_file_has_given_them_up()
    {
        using var origin = _store.Create();
        var content = new byte[6 * Page];
        Write(origin, content, 0, Bytes(content.Length, 1));
        await origin.FlushAsync();
        using var clone = origin.Clone();

        origin.PunchHole(Page, 2 * Page);
        content.AsSpan(Page, 2 * Page).Clear();
        origin.SetLength((4 * Page) + 10);
        Array.Resize(ref content, (4 * Page) + 10);
        await origin.FlushAsync();
        Shows(origin, content);
        Assert.Equal(Usable - 6, _store.FreeBlocks);

        clone.Delete();
        Assert.Equal(Usable - 6, _store.FreeBlocks);
        await _cache.FlushAsync();
        Assert.Equal(Usable - 3, _store.FreeBlocks);
        Shows(origin, content);

        Write(origin, content, 4 * Page, Bytes(10, 2));
        await origin.FlushAsync();
        Assert.Equal(Usable - 3, _store.FreeBlocks);
        Shows(origin, content);
        origin.Delete();
        await _cache.FlushAsync();
        Assert.Equal((Usable, 0L), (_store.FreeBlocks, _cache.GetStatistics().ResidentBytes));
    }

    [Fact]
    [Trait("Row", "F5")]
    public async Task Each_change_moves_the_sequence_of_its_file_by_one()
    {
        using var file = _store.Create();
        file.SetLength(2 * Page);
        file.Write(0, Bytes(Page, 1));
        Assert.Equal(1, file.Extents.Sequence);
        using var clone = file.Clone();
        await file.FlushAsync();
        Assert.Equal((2, 1), (file.Extents.Sequence, clone.Extents.Sequence));
        file.PunchHole(0, Page);
        Assert.Equal((3, 1), (file.Extents.Sequence, clone.Extents.Sequence));
        Assert.Equal(1, Assert.Single(ExtentsOf(clone)).PhysicalOffset / Page);
        Assert.Empty(ExtentsOf(file));
    }

    [Fact]
    [Trait("Row", "E5")]
    public async Task What_cannot_be_written_is_given_back_and_written_later()
    {
        using var file = _store.Create();
        var content = new byte[3 * Page];
        Write(file, content, 0, Bytes(content.Length, 1));
        _failsWrites = true;
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        Assert.Equal("The device does not write.", error.InnerException?.Message);
        Assert.Equal((Usable, 3L * Page), (_store.FreeBlocks, _cache.GetStatistics().DirtyBytes));
        _cache.Verify();

        _failsWrites = false;
        using var clone = file.Clone();
        await file.FlushAsync();
        Shows(file, content);
        Shows(clone, content);
        Assert.Equal((Usable - 3, 0L), (_store.FreeBlocks, _cache.GetStatistics().DirtyBytes));
    }

    [Fact]
    [Trait("Row", "E5")]
    public async Task A_full_store_places_nothing_and_goes_on_when_something_was_deleted()
    {
        using var old = _store.Create();
        var content = new byte[8 * Page];
        for (var round = 1; round * 8 <= Usable; round++)
        {
            // A clone keeps what the next round overwrites.
            _ = round == 1 ? null : old.Clone();
            Write(old, content, 0, Bytes(content.Length, round));
            await old.FlushAsync();
        }

        using var file = _store.Create();
        var mine = new byte[Page];
        Write(file, mine, 0, Bytes(Page, 100));
        Assert.Equal(0, _store.FreeBlocks);
        Assert.Equal("Place", (await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask())).Step);
        old.Delete();
        await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        await file.FlushAsync();
        Assert.Equal(7, _store.FreeBlocks);
        Shows(file, mine);
    }

    [Fact]
    [Trait("Row", "B5")]
    public async Task Ranges_and_merges_are_refused_and_nothing_changes()
    {
        using var file = _store.Create();
        var content = new byte[4 * Page];
        Write(file, content, 0, Bytes(Page, 1));
        Write(file, content, Page, Bytes(Page, 1));
        Write(file, content, 3 * Page, Bytes(Page, 2));
        await file.FlushAsync();
        using var clone = file.Clone();
        Assert.Throws<NotSupportedException>(() => file.CloneRange(file, 0, 2 * Page, Page));
        Assert.Throws<NotSupportedException>(() => file.Dedupe(file, 0, Page, Page));
        Assert.Throws<NotSupportedException>(() => clone.MergeInto(file));
        await _cache.FlushAsync();
        Shows(file, content);
        Shows(clone, content);
        Assert.Equal(Usable - 3, _store.FreeBlocks);
    }

    [Fact]
    [Trait("Row", "F6")]
    public async Task What_is_written_around_the_cache_is_placed_and_published_too()
    {
        using var file = _store.Create();
        var content = Bytes(6 * Page, 1);
        file.SetLength(content.Length);
        await file.WriteAroundAsync(0, content);
        using var clone = file.Clone();
        await file.WriteAroundAsync(Page, Bytes(2 * Page, 2));
        await _cache.FlushAsync();
        Shows(clone, content);
        Bytes(2 * Page, 2).CopyTo(content, Page);
        Shows(file, content);
        Assert.Equal(Usable - 8, _store.FreeBlocks);
    }

    [Fact]
    [Trait("Row", "B4")]
    public async Task A_dirty_page_that_a_range_clone_shows_twice_has_one_block()
    {
        using var file = _store.Create();
        var content = new byte[3 * Page];
        Write(file, content, 0, Bytes(Page, 1));
        file.CloneRange(file, 0, 2 * Page, Page);
        content.AsSpan(0, Page).CopyTo(content.AsSpan(2 * Page));
        var sequence = file.Extents.Sequence;
        await _cache.FlushAsync();
        Shows(file, content);
        Assert.Equal((sequence + 1, Usable - 1), (file.Extents.Sequence, _store.FreeBlocks));
    }

    [Fact]
    [Trait("Row", "E3")]
    public async Task A_page_with_a_log_number_is_not_written()
    {
        using var file = _store.Create();
        file.Write(0, Bytes(10, 1), new Lsn(1));
        var error = await Assert.ThrowsAsync<CacheWritebackException>(() => file.FlushAsync().AsTask());
        Assert.IsType<NotSupportedException>(error.InnerException);
        Assert.Equal(Usable, _store.FreeBlocks);
        file.Delete();
    }

    [Theory]
    [Trait("Row", "E1")]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Every_file_shows_what_was_written_to_it_whatever_the_device_does(int seed)
    {
        const int Most = 5 * Page;
        var dice = new Random(seed);
        var files = new List<(MappedFile File, byte[] Content)> { (_store.Create(), []) };
        for (var step = 1; step <= 1200; step++)
        {
            var at = dice.Next(files.Count);
            var (file, content) = files[at];
            var offset = dice.Next(Most);
            var count = dice.Next(1, Most - offset + 1);
            switch (dice.Next(10))
            {
                case 0 when files.Count < 5:
                    files.Add((file.Clone(), [.. content]));
                    break;
                case 1 when files.Count > 1 && dice.Next(2) == 0:
                    file.Delete();
                    files.RemoveAt(at);
                    break;
                case 2:
                    file.PunchHole(offset, count);
                    content.AsSpan(Math.Min(offset, content.Length)..Math.Min(offset + count, content.Length)).Clear();
                    break;
                case 3:
                    file.SetLength(offset);
                    Array.Resize(ref content, offset);
                    files[at] = (file, content);
                    break;
                case 4 when dice.Next(3) == 0:
                    // The second flush may still tell of a failure in the background.
                    _failsWrites = true;
                    _ = await Record.ExceptionAsync(async () => await _cache.FlushAsync());
                    _failsWrites = false;
                    _ = await Record.ExceptionAsync(async () => await _cache.FlushAsync());
                    break;
                case 4:
                    await _cache.FlushAsync();
                    break;
                case 5 or 6 or 7:
                    Array.Resize(ref content, Math.Max(content.Length, offset + count));
                    files[at] = (file, content);
                    Write(file, content, offset, Bytes(count, step));
                    break;
                default:
                    Assert.True(content.AsSpan().SequenceEqual(Read(file)), $"seed {seed}, step {step}");
                    break;
            }
        }

        await _cache.FlushAsync();
        files.ForEach(each => Shows(each.File, each.Content));
        var shown = files.SelectMany(each => ExtentsOf(each.File)).Select(extent => extent.PhysicalOffset).Distinct().Count();
        Assert.Equal(Usable - shown, _store.FreeBlocks);
    }

    [Fact]
    [Trait("Row", "E1")]
    public async Task Writers_clones_and_flushes_at_the_same_time_mix_no_files()
    {
        // A page of a file holds the file's number, or what its origin had.
        const int Pages = 6;
        using var origin = _store.Create();
        origin.Write(0, new byte[Pages * Page]);
        using var done = new CancellationTokenSource();
        var writers = Enumerable.Range(1, 3).Select(number => Task.Run(async () =>
        {
            var dice = new Random(number);
            var mine = new byte[Page];
            for (var round = 0; round < 60; round++)
            {
                using var file = origin.Clone();
                for (var step = 0; step < 10; step++)
                {
                    var page = dice.Next(Pages);
                    Array.Fill(mine, (byte)number);
                    await file.WriteAsync((long)page * Page, mine);
                    if (step == 5)
                    {
                        await file.FlushAsync();
                    }

                    page = dice.Next(Pages);
                    Assert.Equal(Page, await file.ReadAsync((long)page * Page, mine));
                    Assert.True(mine[0] == 0 || mine[0] == number, $"file {number} shows file {mine[0]}");
                    Assert.Equal(-1, mine.AsSpan().IndexOfAnyExcept(mine[0]));
                }

                file.Delete();
            }
        })).ToArray();
        var flushes = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                await _cache.FlushAsync();
                origin.Write(0, new byte[Page]);
            }
        });
        await Task.WhenAll(writers).WaitAsync(TimeSpan.FromMinutes(2));
        await done.CancelAsync();
        await flushes;
        await _cache.FlushAsync();
        Shows(origin, new byte[Pages * Page]);
        Assert.Equal(Usable - Pages, _store.FreeBlocks);
    }

    private static byte[] Bytes(int count, int seed)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static void Write(MappedFile file, byte[] model, int offset, byte[] bytes)
    {
        file.Write(offset, bytes);
        bytes.CopyTo(model, offset);
    }

    private static byte[] Read(MappedFile file)
    {
        var bytes = new byte[file.Length];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        return bytes;
    }

    private static Extent[] ExtentsOf(MappedFile file)
    {
        var extents = new ArrayBufferWriter<Extent>();
        file.Extents.GetExtentsAsync(0, long.MaxValue / 2, extents, default).AsTask().GetAwaiter().GetResult();
        return extents.WrittenSpan.ToArray();
    }

    /// <summary>A flushed file shows these bytes, through the cache and by its extents on the device.</summary>
    private void Shows(MappedFile file, byte[] content)
    {
        Assert.Equal(content, Read(file));
        var bytes = new byte[(content.Length + Page - 1) / Page * Page];
        foreach (var extent in ExtentsOf(file))
        {
            _memory.Copy(extent.PhysicalOffset, extent.Length).CopyTo(bytes, extent.FileOffset);
        }

        Assert.Equal(content, bytes[..content.Length]);
    }
}
