using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>Clones of files that are written: by the file system, and one copy of what they share.</summary>
public sealed class CloningTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    private const int Size = 1 << 20;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_clone_of_a_dirty_file_has_what_was_written_and_shares_all_blocks(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size + 50, 1);
        await using var file = OpenNew(path, content);
        var bytes = Bytes(10 * Page, 2);
        file.File.Write(1000, bytes);
        content = Overlaid(content, 1000, bytes);
        AssertContent(content, file);
        var reads = Figures.DevicePagesRead;

        await using var clone = await file.CloneAsync(path + ".clone");

        AssertOnDisk(content, clone.Path);
        AssertContent(content, clone);
        Assert.Equal(BlocksOf(path), BlocksOf(clone.Path));
        Assert.Equal(reads, Figures.DevicePagesRead);
        Assert.Equal(0, Figures.DirtyBytes);
        Assert.Equal(2, Figures.OpenFiles);
    }

    /// <summary>
    /// A file system that cuts a file inside a block zeroes the rest of it, in a copy if the block is shared: nobody may read the block
    /// through that file any more, also before it was asked where the copy is.
    /// </summary>
    [Theory]
    [OnFileSystem(Xfs, 4096)]
    [OnFileSystem(Btrfs, 4096)]
    [OnFileSystem(Xfs, 16384)]
    [OnFileSystem(Btrfs, 16384)]
    public async Task A_cut_of_a_clone_inside_a_block_is_not_seen_through_its_origin(FileSystemKind kind, int pageSize)
    {
        UseWritableCache(pageSize: pageSize);
        var folder = FolderOn(kind);
        var content = Bytes(12 * Page, 1);
        await using var origin = OpenNew(Path.Combine(folder, "origin"), content);
        await using var clone = await origin.CloneAsync(Path.Combine(folder, "clone"));
        var byteOfEach = new byte[1];
        await clone.File.ReadAsync(0, byteOfEach);
        await origin.File.ReadAsync(0, byteOfEach);

        clone.File.SetLength((11 * Page) + 1177);
        ((WritableReflinkFile)clone.Origin).Stage([]);

        AssertContent(content[..((11 * Page) + 1177)], clone);
        AssertContent(content, origin);
        await clone.File.FlushAsync();
        AssertOnDisk(content[..((11 * Page) + 1177)], clone.Path);
        AssertOnDisk(content, origin.Path);
        AssertContent(content[..((11 * Page) + 1177)], clone);
        Verify();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Both_sides_of_a_clone_are_written_and_neither_sees_the_other(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        AssertContent(content, file);
        await using var clone = await file.CloneAsync(path + ".clone");
        var reads = Figures.DevicePagesRead;
        file.File.Write(3 * Page, Bytes(2 * Page, 2));
        clone.File.Write(4 * Page + 7, Bytes(2 * Page, 3));
        clone.File.SetLength(Size / 2);
        var first = Overlaid(content, 3 * Page, Bytes(2 * Page, 2));
        var second = Overlaid(content, 4 * Page + 7, Bytes(2 * Page, 3))[..(Size / 2)];

        AssertContent(first, file);
        AssertContent(second, clone);
        await file.File.Volume.FlushAsync();

        AssertOnDisk(first, path);
        AssertOnDisk(second, clone.Path);
        AssertContent(first, file);
        AssertContent(second, clone);
        Assert.Equal(reads, Figures.DevicePagesRead);

        // All but the three pages that the clone wrote and the one that only the first file wrote is one copy.
        Assert.Equal(4, BlocksOf(clone.Path).Except(BlocksOf(path)).Count());
        Verify();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_clone_that_lost_its_name_is_no_changed_file_and_fails_nobodys_flush(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        await using var clone = await file.CloneAsync(path + ".clone");

        // Named and unnamed again between two looks: as many names as when it was made, and another change time.
        File.Delete(clone.Path);
        file.File.Write(0, Bytes(Page, 2));
        clone.File.Write(Page, Bytes(Page, 3));
        await file.File.Volume.FlushAsync();

        AssertOnDisk(Overlaid(content, 0, Bytes(Page, 2)), path);
        AssertContent(Overlaid(content, Page, Bytes(Page, 3)), clone);
        Verify();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Ten_clones_that_are_all_written(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        AssertContent(content, file);
        var clones = new List<(ReflinkedFile File, byte[] Content)> { (file, content) };
        for (var i = 0; i < 10; i++)
        {
            // Each of the one before it, which is dirty.
            var (origin, expected) = clones[^1];
            var clone = await origin.CloneAsync($"{path}.{i}");
            clone.File.Write(i * 7000, Bytes(9000, i + 2));
            clones.Add((clone, Overlaid(expected, i * 7000, Bytes(9000, i + 2))));
        }

        await file.File.Volume.FlushAsync();

        var reads = Figures.DevicePagesRead;
        foreach (var (clone, expected) in clones)
        {
            AssertOnDisk(expected, clone.Path);
            AssertContent(expected, clone);
        }

        Assert.Equal(reads, Figures.DevicePagesRead);
        var distinct = clones.SelectMany(static clone => BlocksOf(clone.File.Path)).ToHashSet();
        Verify();
        Assert.InRange(Figures.ResidentBytes, 0, (long)distinct.Count * Page);
        foreach (var (clone, expected) in clones)
        {
            await clone.DisposeAsync();
            AssertOnDisk(expected, clone.Path);
        }
    }

    /// <summary>The image of the file system is copied right after the call, and mounted later. With a clone that gets its name after others, which each flush of the folder names.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_clone_is_durable_as_a_whole_when_the_call_returns(FileSystemKind kind)
    {
        var copy = Path.Combine(FolderOn(Xfs), "copy");
        var content = Bytes(Size, 1);
        using (var mount = LoopMount.Make(kind, 400 << 20))
        {
            var path = Path.Combine(mount.Root, "image");
            await using var file = OpenNew(path, content);
            file.File.Write(7 * Page, Bytes(Page, 2));
            content = Overlaid(content, 7 * Page, Bytes(Page, 2));
            await using var clone = await file.CloneAsync(path + ".clone");
            await using var later = await file.CloneForLaterAsync(path + ".later", path + ".passing");
            later.TakeName();
            await using var another = await file.CloneAsync(path + ".another");
            mount.CopyTo(copy);
            await Store.DisposeAsync();
        }

        using var again = LoopMount.MakeAfterPowerCut(kind, copy);
        foreach (var name in new[] { "image", "image.clone", "image.later", "image.another" })
        {
            AssertOnDisk(content, Path.Combine(again.Root, name));
        }
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Clones_are_taken_while_the_file_is_written_and_are_points_in_time(FileSystemKind kind)
    {
        const int pages = 64;
        UseWritableCache(dirtyAge: TimeSpan.FromMilliseconds(10));
        var path = Path.Combine(FolderOn(kind), "image");
        await using var file = OpenNew(path, new byte[pages * Page]);
        using var stop = new CancellationTokenSource();
        long count = 0;
        var writer = Task.Run(() =>
        {
            // Page after page gets the next number: at any moment numbers fall by one at one place and stay otherwise.
            var page = new byte[Page];
            while (!stop.IsCancellationRequested)
            {
                var number = Interlocked.Read(ref count);
                BitConverter.TryWriteBytes(page, (number / pages) + 1);
                file.File.Write(number % pages * Page, page);
                Interlocked.Increment(ref count);
            }
        });

        var clones = new List<(ReflinkedFile File, long[] Numbers)>();
        for (var i = 0; i < 8; i++)
        {
            var before = Interlocked.Read(ref count);
            var clone = await file.CloneAsync($"{path}.{i}");
            var after = Interlocked.Read(ref count) + 1;
            var numbers = Numbers(ReadAll(clone));
            var written = numbers.Sum();
            Assert.InRange(written, before, after);
            Assert.Equal(Enumerable.Range(0, pages).Select(page => (written + pages - 1 - page) / pages), numbers);
            clones.Add((clone, numbers));
            await Task.Delay(15);
        }

        await stop.CancelAsync();
        await writer;
        await file.File.Volume.FlushAsync();
        foreach (var (clone, numbers) in clones)
        {
            Assert.Equal(numbers, Numbers(OnDisk(clone.Path)));
            Assert.Equal(numbers, Numbers(ReadAll(clone)));
            await clone.DisposeAsync();
        }

        static long[] Numbers(byte[] content) =>
            [.. Enumerable.Range(0, pages).Select(page => BitConverter.ToInt64(content, page * Page))];
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_clone_without_a_name_is_a_clone_too(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var content = Bytes(Size, 1);
        await using var file = OpenNew(Path.Combine(folder, "image"), content);
        file.File.Write(0, Bytes(Page, 2));

        await using (var clone = await file.File.CloneAsync())
        {
            clone.Write(Page, Bytes(Page, 3));
            await clone.FlushAsync();
            var read = new byte[3 * Page];
            clone.Read(0, read);
            Assert.Equal([.. Bytes(Page, 2), .. Bytes(Page, 3), .. content[(2 * Page)..(3 * Page)]], read);
        }

        AssertContent(Overlaid(content, 0, Bytes(Page, 2)), file);
        Assert.Throws<NotSupportedException>(() => file.File.Clone());
        Assert.Single(Directory.GetFiles(folder));
    }

    [ReflinkFact(Xfs, Btrfs)]
    public async Task A_clone_that_cannot_be_leaves_nothing_behind()
    {
        var folder = FolderOn(Xfs);
        var path = Path.Combine(folder, "image");
        await using var file = OpenNew(path, Bytes(Size, 1));
        file.File.Write(0, Bytes(Page, 2));

        await Assert.ThrowsAsync<IOException>(async () => await file.CloneAsync(path));
        await Assert.ThrowsAsync<IOException>(async () => await file.CloneAsync(Path.Combine(FolderOn(Btrfs), "image")));
        await Assert.ThrowsAsync<IOException>(async () => await file.CloneAsync(Path.Combine(folder, "none", "image")));

        Assert.Equal(1, Figures.OpenFiles);
        Assert.Single(Directory.GetFiles(folder));
        AssertContent(Overlaid(Bytes(Size, 1), 0, Bytes(Page, 2)), file);
        using var readOnly = Store.Open(Write(folder));
        await Assert.ThrowsAsync<NotSupportedException>(async () => await readOnly.CloneAsync(path + ".copy"));

        static string Write(string folder)
        {
            var other = Path.Combine(folder, "other");
            ReflinkTest.Write(other, Bytes(Page, 3));
            return other;
        }
    }
}
