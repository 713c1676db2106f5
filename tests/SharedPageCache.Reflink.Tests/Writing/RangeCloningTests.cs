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

        // It is there at once, and shared when the file is flushed.
        var before = other;
        other = Overlaid(other, 8 * Page, content[(2 * Page)..(402 * Page)]);
        var page = new byte[Page];
        file.File.Read(9 * Page, page);
        Assert.Equal(content[(3 * Page)..(4 * Page)], page);
        AssertOnDisk(before, file.Path);
        Assert.Equal(reads + 1, Figures.DevicePagesRead);
        await file.File.FlushAsync();
        reads = Figures.DevicePagesRead;
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
                    // The page in which both end is shared too.
                    var ends = start + distance + expected == other.Length && start + expected == content.Length;
                    var (first, last) = ((start + Page - 1) / Page, (start + expected + (ends ? Page - 1 : 0)) / Page);
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
            await file.File.FlushAsync();
            Assert.Equal(numbers, Numbers(ReadAll(file)));
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
    [Trait("Row", "B5")]
    public async Task Without_room_a_range_is_there_as_a_whole_or_not_at_all_and_is_owed_to_the_disk(FileSystemKind kind)
    {
        using var mount = LoopMount.Make(kind, 320L << 20);
        try
        {
            var (content, other) = (Bytes(Size, 1), Bytes(Size / 2, 2));
            var source = OpenNew(Path.Combine(mount.Root, "source"), content);
            var file = OpenNew(Path.Combine(mount.Root, "file"), other);
            source.File.Write(0, Bytes(Size / 2, 3));
            content = Overlaid(content, 0, Bytes(Size / 2, 3));
            var expected = Overlaid(other, Page, content);
            var filler = Path.Combine(mount.Root, "filler");
            WritingTroubleTests.Fill(filler);
            var failed = false;
            try
            {
                // The dirty pages of the source have no room.
                await file.CloneRangeAsync(source, 0, Page, Size);
            }
            catch (IOException)
            {
                failed = true;
            }

            AssertContent(failed ? other : expected, file);
            File.Delete(filler);
            Command.Run("sync", "-f", mount.Root);
            for (var attempt = 0; failed; attempt++)
            {
                try
                {
                    await source.File.FlushAsync();
                    await file.CloneRangeAsync(source, 0, Page, Size);
                    break;
                }
                catch (CacheWritebackException) when (attempt < 3)
                {
                    // What failed in the background is told once.
                }
            }

            // Nothing of it is on the disk yet, and now there is no room for anything.
            AssertContent(expected, file);
            WritingTroubleTests.Fill(filler);
            file.File.Write(0, Bytes(Page, 4));
            expected = Overlaid(expected, 0, Bytes(Page, 4));
            try
            {
                await file.File.FlushAsync();
            }
            catch (CacheWritebackException)
            {
            }

            AssertContent(expected, file);
            AssertContent(content, source);
            File.Delete(filler);
            Command.Run("sync", "-f", mount.Root);
            for (var attempt = 0; ; attempt++)
            {
                try
                {
                    await file.File.Volume.FlushAsync();
                    break;
                }
                catch (CacheWritebackException) when (attempt < 3)
                {
                }
            }

            AssertContent(expected, file);
            AssertOnDisk(expected, file.Path);
            AssertOnDisk(content, source.Path);
            await file.DisposeAsync();
            await source.DisposeAsync();
            Assert.Equal(0, Figures.OpenFiles);
            Verify();
        }
        finally
        {
            Store.Dispose();
        }
    }

    /// <summary>Clones and readers have all of a range or nothing, at any moment, while the file is written and flushed.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    [Trait("Row", "B5")]
    public async Task Nobody_sees_a_part_of_a_range(FileSystemKind kind)
    {
        const int pages = 700;
        UseWritableCache(dirtyAge: TimeSpan.FromMilliseconds(10));
        var folder = FolderOn(kind);
        await using var one = OpenNew(Path.Combine(folder, "one"), Filled(pages, 1));
        await using var two = OpenNew(Path.Combine(folder, "two"), Filled(pages, 2));
        await using var file = OpenNew(Path.Combine(folder, "file"), Filled(pages + 2, 1));
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(async () =>
        {
            // Beside the range, so that there is always something to write back.
            for (byte i = 0; !stop.IsCancellationRequested; i++)
            {
                await file.File.WriteAsync(0, Enumerable.Repeat(i, Page).ToArray());
                await file.File.FlushAsync();
            }
        });
        var cloned = 1;
        for (var i = 0; i < 16; i++)
        {
            cloned = 3 - cloned;
            var clone = file.CloneRangeAsync(cloned == 1 ? one : two, 0, Page, pages * (long)Page).AsTask();
            await using var seen = await file.CloneAsync(Path.Combine(folder, $"seen{i}"));
            await clone;
            foreach (var which in new[] { seen, file })
            {
                var content = ReadAll(which)[Page..^Page];
                Assert.True(content.AsSpan().IndexOfAnyExcept(content[0]) < 0, $"{which} has a part of a range");
                Assert.Equal(which == file ? (byte)cloned : content[0], content[0]);
            }

            // A page of the range that is dirty when the next one comes.
            await file.File.WriteAsync((1 + i * 40) * Page, Filled(1, (byte)cloned));
        }

        await stop.CancelAsync();
        await writer;
        await file.File.FlushAsync();
        AssertOnDisk(ReadAll(file), file.Path);
        Verify();

        static byte[] Filled(int count, byte value) => Enumerable.Repeat(value, count * Page).ToArray();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_range_that_is_written_cut_cloned_and_closed_before_it_is_shared_is_as_it_shall_be(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var (content, other) = (Bytes(100 * Page + 77, 1), Bytes(50 * Page, 2));
        await using var source = OpenNew(Path.Combine(folder, "source"), content);
        var path = Path.Combine(folder, "file");
        var file = OpenNew(path, other);
        Assert.Equal(content.Length, await file.CloneRangeAsync(source, 0, 2 * Page, long.MaxValue));
        other = Overlaid(other, 2 * Page, content);
        file.File.Write(10 * Page + 5, Bytes(2 * Page, 3));
        other = Overlaid(other, 10 * Page + 5, Bytes(2 * Page, 3));
        await file.File.PunchHoleAsync(20 * Page, 2 * Page);
        other.AsSpan(20 * Page, 2 * Page).Clear();
        source.File.Write(5 * Page, Bytes(Page, 4));
        content = Overlaid(content, 5 * Page, Bytes(Page, 4));
        await file.File.SetLengthAsync(60 * Page + 33);
        await file.File.SetLengthAsync(70 * Page);
        other = Overlaid(new byte[70 * Page], 0, other[..(60 * Page + 33)]);
        AssertContent(other, file);

        // Once more over what is owed already.
        Assert.Equal(9 * Page, await file.CloneRangeAsync(file, 2 * Page, 30 * Page, 9 * Page));
        other = Overlaid(other, 30 * Page, other[(2 * Page)..(11 * Page)]);
        AssertContent(other, file);
        await using (var clone = await file.CloneAsync(path + ".clone"))
        {
            AssertContent(other, clone);
            AssertOnDisk(other, clone.Path);
        }

        Assert.Equal(7 * Page, await file.CloneRangeAsync(source, 0, 40 * Page, 7 * Page));
        other = Overlaid(other, 40 * Page, content[..(7 * Page)]);
        await file.DisposeAsync();
        AssertOnDisk(other, path);
        await using (var again = Store.OpenForWriting(path))
        {
            AssertContent(other, again);

            // What a deleted file owes nobody asks for.
            await again.CloneRangeAsync(source, 0, 0, 7 * Page);
            again.File.Delete();
        }

        await source.File.Volume.FlushAsync();
        Assert.Equal(1, Figures.OpenFiles);
        Assert.False(File.Exists(path));
        AssertOnDisk(content, source.Path);
        Verify();
    }

    [Theory]
    [OnFileSystem(Xfs, "file")]
    [OnFileSystem(Btrfs, "file")]
    [OnFileSystem(Xfs, "store")]
    [OnFileSystem(Btrfs, "store")]
    public async Task A_range_that_cannot_be_shared_any_more_is_given_up_with_its_file_and_leaves_nothing_open(FileSystemKind kind, string closed)
    {
        var folder = FolderOn(kind);
        await using var source = OpenNew(Path.Combine(folder, "source"), Bytes(20 * Page, 1));
        var file = OpenNew(Path.Combine(folder, "file"), Bytes(20 * Page, 2));
        await file.CloneRangeAsync(source, 0, 2 * Page, 8 * Page);
        Assert.Equal(3, Figures.OpenFiles);

        // Somebody else writes to the file: it is refused from then on.
        Overwrite(file.Path, 15 * Page, [1, 2, 3]);
        await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.File.FlushAsync());
        if (closed == "file")
        {
            file.Dispose();
            await source.File.Volume.FlushAsync();
            Assert.Equal(1, Figures.OpenFiles);
            source.File.Write(0, Bytes(Page, 3));
            await source.File.FlushAsync();
            AssertOnDisk(Overlaid(Bytes(20 * Page, 1), 0, Bytes(Page, 3)), source.Path);
        }
        else
        {
            Store.Dispose();
            Assert.Equal(0, Figures.OpenFiles);
        }

        AssertOnDisk(Overlaid(Bytes(20 * Page, 2), 15 * Page, [1, 2, 3]), Path.Combine(folder, "file"));
        Cache.Verify();
    }

    [ReflinkFact(Btrfs)]
    public async Task Between_files_that_the_file_system_never_shares_a_range_is_copied()
    {
        var folder = FolderOn(Btrfs);
        var path = Path.Combine(folder, "in-place");
        File.WriteAllBytes(path, []);
        Command.Run("chattr", "+C", path);
        var (content, other) = (Bytes(600 * Page + 5, 1), Bytes(700 * Page, 2));
        File.WriteAllBytes(path, other);
        Command.Run("sync", "-f", path);
        await using var source = OpenNew(Path.Combine(folder, "source"), content);
        await using var file = Store.OpenForWriting(path);
        Assert.Equal(content.Length, await file.CloneRangeAsync(source, 0, Page, content.Length));
        other = Overlaid(other, Page, content);
        AssertContent(other, file);
        await file.File.FlushAsync();
        AssertOnDisk(other, path);
        AssertContent(other, file);
        Assert.Empty(BlocksOf(source.Path).Intersect(BlocksOf(path)));
        Verify();
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
        var error = await Assert.ThrowsAsync<NotSupportedException>(() => file.File.CloneRangeAsync(source.File, 0, 0, Page).AsTask());
        Assert.Contains("ReflinkedFile.CloneRangeAsync", error.Message, StringComparison.Ordinal);
        Assert.Contains("ReflinkedFile.DedupeAsync", error.Message, StringComparison.Ordinal);
        file.File.Seal();
        await Assert.ThrowsAsync<NotSupportedException>(() => file.CloneRangeAsync(source, 0, 0, Page).AsTask());
        await Assert.ThrowsAsync<NotSupportedException>(() => file.DedupeAsync(source, 0, 0, Page).AsTask());
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
