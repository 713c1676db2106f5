using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>Clones of ranges by the file system: one copy on disk and in memory, and what a plain reader finds.</summary>
public sealed class RangeCloningTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    private const int Size = 3 << 20;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_range_of_a_dirty_file_is_shared_on_disk_and_in_memory(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var (content, other) = (Bytes(Size, 1), Bytes(Size, 2));
        await using var source = OpenNew(Path.Combine(folder, "source"), content);
        await using var file = OpenNew(Path.Combine(folder, "file"), other);
        source.File.Write(5 * Page + 100, Bytes(3 * Page, 3));
        content = Overlaid(content, 5 * Page + 100, Bytes(3 * Page, 3));
        AssertContent(content, source);
        file.File.Write(10 * Page, Bytes(Page, 4));
        var (reads, length) = (Figures.DevicePagesRead, 400 * Page);

        Assert.Equal(length, await file.CloneRangeAsync(source, 2 * Page, 8 * Page, length));

        other = Overlaid(other, 8 * Page, content[(2 * Page)..(402 * Page)]);
        AssertOnDisk(other, file.Path);
        AssertOnDisk(content, source.Path);
        var read = new byte[length];
        file.File.Read(8 * Page, read);
        Assert.True(read.AsSpan().SequenceEqual(content.AsSpan(2 * Page, length)));
        Assert.Equal(reads, Figures.DevicePagesRead);
        Assert.Equal(400, BlocksOf(source.Path).Intersect(BlocksOf(file.Path)).Count());
        Assert.Equal(0, Figures.DirtyBytes);
        Assert.Equal(2, Figures.OpenFiles);
        Assert.Equal(2, Directory.GetFiles(folder).Length);
        Verify();

        // From then on each goes its own way.
        source.File.Write(2 * Page, Bytes(Page, 5));
        file.File.Write(9 * Page, Bytes(Page, 6));
        content = Overlaid(content, 2 * Page, Bytes(Page, 5));
        other = Overlaid(other, 9 * Page, Bytes(Page, 6));
        await file.File.Volume.FlushAsync();
        AssertOnDisk(content, source.Path);
        AssertOnDisk(other, file.Path);
        AssertContent(content, source);
        AssertContent(other, file);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Odd_edges_are_copied_and_a_file_that_is_too_short_grows(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var random = new Random(7);
        foreach (var distance in (int[])[0, 8 * Page, 3, Page + 1])
        {
            foreach (var (start, length) in ((int, int)[])[(0, 50 * Page), (100, 20 * Page), (5, 300), (Page - 1, 2), (3 * Page, Page), (30 * Page + 7, 1 << 20)])
            {
                var name = $"{distance}.{start}.{length}";
                var (content, other) = (Bytes(60 * Page + 1234, random.Next()), Bytes(random.Next(70 * Page), random.Next()));
                await using var source = OpenNew(Path.Combine(folder, "source" + name), content);
                await using var file = OpenNew(Path.Combine(folder, "file" + name), other);
                var expected = Math.Min(length, content.Length - start);

                Assert.Equal(expected, await file.CloneRangeAsync(source, start, start + distance, length));

                other = Overlaid(other, start + distance, content[start..(start + expected)]);
                AssertContent(other, file);
                await file.File.FlushAsync();
                AssertOnDisk(other, file.Path);
                AssertContent(other, file);
                if (distance % Page == 0)
                {
                    var (first, last) = ((start + Page - 1) / Page, (start + expected) / Page);
                    Assert.Equal(Math.Max(0, last - first), BlocksOf(source.Path).Intersect(BlocksOf(file.Path)).Count());
                }
            }
        }

        Verify();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Ranges_of_one_file_may_overlap(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(100 * Page, 1);
        await using var file = OpenNew(path, content);
        file.File.Write(50 * Page, Bytes(100, 2));
        content = Overlaid(content, 50 * Page, Bytes(100, 2));
        foreach (var (from, to, length) in ((int, int, int)[])[(0, 60 * Page, 30 * Page), (40 * Page, 45 * Page, 20 * Page), (20 * Page + 5, 10 * Page, 9000), (0, 0, 3 * Page)])
        {
            Assert.Equal(length, await file.CloneRangeAsync(file, from, to, length));
            content = Overlaid(content, to, content[from..(from + length)]);
            AssertContent(content, file);
        }

        Assert.Equal(0, await file.CloneRangeAsync(file, 100 * Page, 0, Page));
        Assert.Equal(0, await file.CloneRangeAsync(file, 0, Page, 0));
        await file.File.FlushAsync();
        AssertOnDisk(content, path);
        Verify();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task The_range_is_the_sources_at_one_moment_while_both_are_written(FileSystemKind kind)
    {
        const int pages = 600;
        UseWritableCache(dirtyAge: TimeSpan.FromMilliseconds(10));
        var folder = FolderOn(kind);
        await using var source = OpenNew(Path.Combine(folder, "source"), new byte[pages * Page]);
        await using var file = OpenNew(Path.Combine(folder, "file"), new byte[(pages + 10) * Page]);
        using var stop = new CancellationTokenSource();
        long count = 0;
        var writer = Task.Run(async () =>
        {
            // Page after page gets the next number: at any moment numbers fall by one at one place and stay otherwise.
            var page = new byte[Page];
            while (!stop.IsCancellationRequested)
            {
                BitConverter.TryWriteBytes(page, (Interlocked.Read(ref count) / pages) + 1);
                await source.File.WriteAsync(Interlocked.Read(ref count) % pages * Page, page);
                Interlocked.Increment(ref count);
                await file.File.WriteAsync(Interlocked.Read(ref count) % 10 * Page, page);
            }
        });

        for (var i = 0; i < 6; i++)
        {
            var before = Interlocked.Read(ref count);
            Assert.Equal(pages * Page, await file.CloneRangeAsync(source, 0, 10 * Page, pages * Page));
            var after = Interlocked.Read(ref count) + 1;
            var numbers = Numbers(ReadAll(file));
            var written = numbers.Sum();
            Assert.InRange(written, before, after);
            Assert.Equal(Enumerable.Range(0, pages).Select(page => (written + pages - 1 - page) / pages), numbers);
            Assert.Equal(numbers, Numbers(OnDisk(file.Path)));
        }

        await stop.CancelAsync();
        await writer;

        static long[] Numbers(byte[] content) =>
            [.. Enumerable.Range(10, pages).Select(page => BitConverter.ToInt64(content, page * Page))];
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Without_room_a_range_is_as_it_was_or_cloned_and_the_call_can_be_repeated(FileSystemKind kind)
    {
        using var mount = LoopMount.Make(kind, 320L << 20);
        try
        {
            var (content, other) = (Bytes(Size, 1), Bytes(Size / 2, 2));
            var source = OpenNew(Path.Combine(mount.Root, "source"), content);
            var file = OpenNew(Path.Combine(mount.Root, "file"), other);
            source.File.Write(0, Bytes(Size / 2, 3));
            content = Overlaid(content, 0, Bytes(Size / 2, 3));
            var filler = Path.Combine(mount.Root, "filler");
            WritingTroubleTests.Fill(filler);
            var failed = false;
            try
            {
                await file.CloneRangeAsync(source, 0, Page, Size);
            }
            catch (IOException)
            {
                failed = true;
            }

            var expected = Overlaid(other, Page, content);
            if (failed)
            {
                // A piece is a mebibyte; each is what it was, or what it shall be.
                var now = ReadAll(file);
                Assert.InRange(now.Length, other.Length, expected.Length);
                for (var at = 0; at < now.Length; at += Page)
                {
                    var page = now.AsSpan(at, Math.Min(Page, now.Length - at));
                    Assert.True(
                        page.SequenceEqual(expected.AsSpan(at, page.Length)) || (at < other.Length && page.SequenceEqual(other.AsSpan(at, page.Length))), $"the page at {at}");
                }
            }

            File.Delete(filler);
            Command.Run("sync", "-f", mount.Root);
            for (var attempt = 0; ; attempt++)
            {
                try
                {
                    await file.CloneRangeAsync(source, 0, Page, Size);
                    await file.File.Volume.FlushAsync();
                    break;
                }
                catch (CacheWritebackException) when (attempt < 3)
                {
                    // What failed in the background is told once.
                }
            }

            AssertContent(expected, file);
            AssertOnDisk(expected, file.Path);
            AssertOnDisk(content, source.Path);
            await file.DisposeAsync();
            await source.DisposeAsync();
            Verify();
        }
        finally
        {
            Store.Dispose();
        }
    }

    [ReflinkFact(Xfs, Btrfs)]
    public async Task What_cannot_be_is_refused_and_changes_nothing()
    {
        var (content, other) = (Bytes(20 * Page, 1), Bytes(20 * Page, 2));
        var folder = FolderOn(Xfs);
        await using var source = OpenNew(Path.Combine(folder, "source"), content);
        await using var file = OpenNew(Path.Combine(folder, "file"), other);
        await using var elsewhere = OpenNew(Path.Combine(FolderOn(Btrfs), "source"), content);
        Write(Path.Combine(folder, "readonly"), content);
        using var readOnly = Store.Open(Path.Combine(folder, "readonly"));

        await Assert.ThrowsAsync<ArgumentException>(() => file.CloneRangeAsync(elsewhere, 0, 0, Page).AsTask());
        await Assert.ThrowsAsync<NotSupportedException>(() => file.CloneRangeAsync(readOnly, 0, 0, Page).AsTask());
        await Assert.ThrowsAsync<NotSupportedException>(() => readOnly.CloneRangeAsync(source, 0, 0, Page).AsTask());
        await Assert.ThrowsAsync<ArgumentNullException>(() => file.CloneRangeAsync(null!, 0, 0, Page).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.CloneRangeAsync(source, -1, 0, Page).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.CloneRangeAsync(source, 0, -1, Page).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.CloneRangeAsync(source, 0, 0, -1).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.CloneRangeAsync(source, 0, long.MaxValue, Page).AsTask());
        await Assert.ThrowsAsync<NotSupportedException>(() => file.File.CloneRangeAsync(source.File, 0, 0, Page).AsTask());
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => file.CloneRangeAsync(source, 0, 0, Page, stop.Token).AsTask());
        var closed = OpenNew(Path.Combine(folder, "closed"), content);
        await closed.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => file.CloneRangeAsync(closed, 0, 0, Page).AsTask());
        await Assert.ThrowsAsync<ObjectDisposedException>(() => closed.CloneRangeAsync(source, 0, 0, Page).AsTask());

        await file.File.FlushAsync();
        AssertOnDisk(other, file.Path);
        AssertContent(other, file);
        Assert.Equal(4, Figures.OpenFiles);
        Assert.Equal(4, Directory.GetFiles(folder).Length);
        Verify();
    }
}
