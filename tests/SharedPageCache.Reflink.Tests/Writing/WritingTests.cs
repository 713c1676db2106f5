using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>What is written through the cache is in the file, and stays in the cache.</summary>
public sealed class WritingTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    private const int Size = 2 << 20;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    [OnFileSystem(CompressedBtrfs)]
    public async Task What_was_flushed_is_what_a_plain_reader_finds(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size + 777, 1);
        await using var file = OpenNew(path, content);
        foreach (var (offset, length) in new[] { (0, Page), (5 * Page, 3 * Page), (100_000, 17), (Size - 5, 700), (Size + 770, 7) })
        {
            var bytes = Bytes(length, offset + 2);
            file.File.Write(offset, bytes);
            content = Overlaid(content, offset, bytes);
        }

        AssertContent(content, file);
        await file.File.FlushAsync();

        AssertOnDisk(content, path);
        AssertContent(content, file);
        Assert.Equal(0, Figures.DirtyBytes);
        file.Revalidate();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Pages_that_were_written_back_stay_cached_under_their_blocks(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        AssertContent(content, file);
        var reads = Figures.DevicePagesRead;
        for (var page = 0; page < Size / Page; page += 3)
        {
            var bytes = Bytes(Page, page + 2);
            file.File.Write(page * Page, bytes);
            content = Overlaid(content, page * Page, bytes);
        }

        await file.File.FlushAsync();

        AssertContent(content, file);
        Assert.Equal(reads, Figures.DevicePagesRead);

        // Somebody else's reflink, opened for itself, finds the same blocks and so the same pages.
        File.Copy(path, path + ".copy");
        using var copy = Store.Open(path + ".copy");
        AssertContent(content, copy);
        Assert.Equal(reads, Figures.DevicePagesRead);
        Assert.Equal(Size, Figures.ResidentBytes);
        Assert.Equal(0, KernelPageCache.GetCachedBytes(path));
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task What_is_evicted_after_it_was_written_is_read_from_its_new_place(FileSystemKind kind)
    {
        UseWritableCache(capacity: 1 << 20);
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        for (var round = 0; round < 3; round++)
        {
            for (var page = round; page < Size / Page; page += 5)
            {
                var bytes = Bytes(Page - round, (round * 10_000) + page);
                file.File.Write((page * Page) + round, bytes);
                content = Overlaid(content, (page * Page) + round, bytes);
            }

            await file.File.FlushAsync();
            AssertContent(content, file);
        }

        Assert.True(Figures.Evictions > 0);
        AssertOnDisk(content, path);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    [OnFileSystem(CompressedBtrfs)]
    public async Task A_file_grows_and_shrinks_and_has_holes(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(10 * Page + 100, 1);
        await using var file = OpenNew(path, content);

        async Task CheckAsync()
        {
            AssertContent(content, file);
            await file.File.FlushAsync();
            AssertOnDisk(content, path);
            AssertContent(content, file);
        }

        // Longer, by a write that leaves a hole.
        file.File.Write(20 * Page, Bytes(50, 2));
        content = Overlaid(content, 20 * Page, Bytes(50, 2));
        await CheckAsync();

        // Shorter, inside a page, and longer again before anything reaches the file: zeros between.
        file.File.SetLength(5 * Page + 10);
        file.File.SetLength(8 * Page);
        content = [.. content[..(5 * Page + 10)], .. new byte[3 * Page - 10]];
        await CheckAsync();

        await file.File.PunchHoleAsync(Page + 5, 3 * Page);
        content.AsSpan(Page + 5, 3 * Page).Clear();
        await CheckAsync();

        // A hole over a dirty page, and a page over a hole.
        file.File.Write(0, Bytes(Page, 3));
        await file.File.PunchHoleAsync(0, Page);
        file.File.Write(2 * Page, Bytes(Page, 4));
        content.AsSpan(0, Page).Clear();
        content = Overlaid(content, 2 * Page, Bytes(Page, 4));
        await CheckAsync();

        file.File.SetLength(0);
        content = [];
        await CheckAsync();
        file.File.Write(3, Bytes(5, 5));
        content = [0, 0, 0, .. Bytes(5, 5)];
        await CheckAsync();
        file.Revalidate();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Small_files_become_large_and_large_ones_small(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "file");
        var content = Bytes(10, 1);
        await using var file = OpenNew(path, content);
        for (var length = 100; length < 3 * Page; length += 1700)
        {
            content = Overlaid(content, content.Length, Bytes(length - content.Length, length));
            file.File.Write(0, content);
            await file.File.FlushAsync();
            AssertOnDisk(content, path);
            AssertContent(content, file);
        }

        for (var length = content.Length; length > 0; length -= 1900)
        {
            file.File.SetLength(length);
            await file.File.FlushAsync();
            AssertOnDisk(content[..length], path);
            AssertContent(content[..length], file);
        }
    }

    [Theory]
    [OnFileSystem(Xfs, 16384)]
    [OnFileSystem(Btrfs, 65536)]
    public async Task Pages_may_be_larger_than_blocks(FileSystemKind kind, int pageSize)
    {
        UseWritableCache(pageSize: pageSize);
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size + 5000, 1);
        await using var file = OpenNew(path, content);
        var bytes = Bytes(3 * pageSize, 2);
        file.File.Write(pageSize + 100, bytes);
        content = Overlaid(content, pageSize + 100, bytes);
        file.File.Write(Size + 4000, bytes);
        content = Overlaid(content, Size + 4000, bytes);

        await file.File.FlushAsync();

        AssertOnDisk(content, path);
        AssertContent(content, file);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task What_was_written_is_there_after_a_remount(FileSystemKind kind)
    {
        using var mount = LoopMount.Make(kind);
        var path = Path.Combine(mount.Root, "image");
        var content = Bytes(Size, 1);
        var file = OpenNew(path, content);
        var bytes = Bytes(100_001, 2);
        file.File.Write(77_777, bytes);
        content = Overlaid(content, 77_777, bytes);
        var clone = await file.CloneAsync(path + ".clone");
        file.File.Write(0, Bytes(10, 3));
        clone.File.SetLength(Page + 1);

        await file.DisposeAsync();
        await clone.DisposeAsync();
        await Store.DisposeAsync();
        mount.Unmount();
        mount.Mount("loop");

        AssertOnDisk(Overlaid(content, 0, Bytes(10, 3)), path);
        AssertOnDisk(content[..(Page + 1)], path + ".clone");
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Closing_the_last_handle_writes_back_and_opening_again_finds_it(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        Write(path, Bytes(Size, 1));
        var first = Store.OpenForWriting(path);
        var second = Store.Open(path);
        first.File.Write(0, Bytes(Page, 2));
        first.Dispose();
        Assert.Equal(Page, Figures.DirtyBytes);
        AssertContent(Overlaid(Bytes(Size, 1), 0, Bytes(Page, 2)), second);

        second.Dispose();

        AssertOnDisk(Overlaid(Bytes(Size, 1), 0, Bytes(Page, 2)), path);
        Assert.Equal(0, Figures.OpenFiles);
        await using var again = Store.OpenForWriting(path);
        AssertContent(Overlaid(Bytes(Size, 1), 0, Bytes(Page, 2)), again);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A_deleted_file_loses_its_name_and_nothing_of_it_is_written(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var file = OpenNew(path, Bytes(Size, 1));
        file.File.Write(0, Bytes(Page, 2));

        file.File.Delete();
        file.Dispose();

        Assert.False(File.Exists(path));
        Assert.Equal(0, Figures.PagesWritten);
        Assert.Equal(0, Figures.OpenFiles);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task The_background_writes_what_is_old(FileSystemKind kind)
    {
        UseWritableCache(dirtyAge: TimeSpan.FromMilliseconds(20));
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        for (var i = 0; i < 60; i++)
        {
            file.File.Write(i * 3000, Bytes(3000, i + 2));
            content = Overlaid(content, i * 3000, Bytes(3000, i + 2));
            AssertContent(content, file);
            await Task.Delay(5);
        }

        while (Figures.DirtyBytes > 0)
        {
            await Task.Delay(20);
        }

        AssertContent(content, file);
        await file.File.FlushAsync();
        AssertOnDisk(content, path);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Reads_of_a_file_and_of_its_clone_go_on_while_it_is_written_back(FileSystemKind kind)
    {
        const int pages = 256;
        UseWritableCache(capacity: 1 << 20);
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "image");
        var content = Write(path, Bytes(pages * Page, 1));
        File.Copy(path, path + ".copy");
        await using var file = Store.OpenForWriting(path);
        using var copy = Store.Open(path + ".copy");
        using var stop = new CancellationTokenSource();
        long reads = 0;
        var readers = Enumerable.Range(0, 2).Select(reader => Task.Run(() =>
        {
            var random = new Random(reader);
            var page = new byte[Page];
            while (!stop.IsCancellationRequested)
            {
                var number = random.Next(pages);
                Assert.Equal(Page, copy.File.Read(number * Page, page));
                Assert.True(page.AsSpan().SequenceEqual(content.AsSpan(number * Page, Page)), "the copy shows what was not written to it");

                // Every page of the file holds one value, or what it held at first.
                Assert.Equal(Page, file.File.Read(number * Page, page));
                Assert.True(
                    page.AsSpan().IndexOfAnyExcept(page[0]) < 0 || page.AsSpan().SequenceEqual(content.AsSpan(number * Page, Page)),
                    "a page of the file is torn or is another's");
                Interlocked.Increment(ref reads);
            }
        })).ToList();

        var writes = new Random(7);
        var expected = content.ToArray();
        for (var round = 0; round < 40; round++)
        {
            for (var i = 0; i < 20; i++)
            {
                var number = writes.Next(pages);
                var value = (byte)writes.Next(256);
                expected.AsSpan(number * Page, Page).Fill(value);
                file.File.Write(number * Page, expected.AsSpan(number * Page, Page));
            }

            await file.File.FlushAsync();
        }

        await stop.CancelAsync();
        await Task.WhenAll(readers);
        Assert.True(reads > 0);
        AssertOnDisk(expected, path);
        AssertContent(expected, file);
        AssertOnDisk(content, path + ".copy");
    }

    [ReflinkFact(Xfs)]
    public void What_cannot_be_opened_for_writing_is_refused()
    {
        var folder = FolderOn(Xfs);
        var path = Path.Combine(folder, "image");
        Write(path, Bytes(Page, 1));
        using (Store.Open(path))
        {
            Assert.Throws<InvalidOperationException>(() => Store.OpenForWriting(path));
        }

        using (Store.OpenForWriting(path))
        {
            Assert.Throws<InvalidOperationException>(() => Store.OpenForWriting(path, new SecurityDomain(3)));
        }

        Assert.Throws<FileNotFoundException>(() => Store.OpenForWriting(path + ".none"));
        UseCache(new PageCacheOptions { CapacityBytes = 1 << 20, PageSize = 512 }, new ReflinkStoreOptions { AllowWriting = true });
        Assert.Contains("512", Assert.Throws<NotSupportedException>(() => Store.OpenForWriting(path)).Message, StringComparison.Ordinal);
        using (var file = Store.Open(path))
        {
            Assert.False(file.File.CanWrite);
        }

        UseCache(new PageCacheOptions { CapacityBytes = 1 << 20 });
        Assert.Throws<InvalidOperationException>(() => Store.OpenForWriting(path));
        using var plain = Store.Open(path);
        Assert.False(plain.File.CanWrite);
        Assert.Throws<NotSupportedException>(() => plain.File.Write(0, [1]));
    }
}
