using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>Equal ranges that the file system compares and shares.</summary>
public sealed class RangeDedupeTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    private const int Pages = 5000;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    [Trait("Row", "B11")]
    public async Task Equal_ranges_are_one_copy_on_disk_and_in_memory_afterwards(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var content = Bytes(Pages * Page + 100, 1);
        await using var source = OpenNew(Path.Combine(folder, "source"), content);
        await using var file = OpenNew(Path.Combine(folder, "file"), content);
        source.File.Write(Page + 3, Bytes(50, 2));
        file.File.Write(Page + 3, Bytes(50, 2));
        content = Overlaid(content, Page + 3, Bytes(50, 2));
        AssertContent(content, source);
        AssertContent(content, file);
        Assert.Empty(BlocksOf(source.Path).Intersect(BlocksOf(file.Path)));

        Assert.Equal(content.Length, await file.DedupeAsync(source, 0, 0, long.MaxValue));

        Assert.Equal(BlocksOf(source.Path), BlocksOf(file.Path));
        var reads = Figures.DevicePagesRead;
        AssertContent(content, file);
        AssertContent(content, source);
        Assert.InRange(Figures.DevicePagesRead - reads, 0, 1);
        AssertOnDisk(content, file.Path);
        Verify();

        // Each may go its own way.
        file.File.Write(7 * Page, Bytes(Page, 3));
        await file.File.FlushAsync();
        AssertOnDisk(Overlaid(content, 7 * Page, Bytes(Page, 3)), file.Path);
        AssertOnDisk(content, source.Path);
        AssertContent(content, source);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    [Trait("Row", "B11")]
    public async Task It_ends_at_the_first_difference_and_changes_nothing(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var content = Bytes(300 * Page, 1);
        var other = content.ToArray();
        other[(123 * Page) + 50]++;
        await using var source = OpenNew(Path.Combine(folder, "source"), content);
        await using var file = OpenNew(Path.Combine(folder, "file"), other);

        Assert.Equal(123 * Page, await file.DedupeAsync(source, 0, 0, 300 * Page));
        Assert.Equal(123, BlocksOf(source.Path).Intersect(BlocksOf(file.Path)).Count());
        Assert.Equal(0, await file.DedupeAsync(source, 123 * Page, 123 * Page, Page));

        // Parts of blocks at the ends are left alone; offsets that lie differently share nothing.
        Assert.Equal(2 * Page, await file.DedupeAsync(source, (200 * Page) + 9, (200 * Page) + 9, (3 * Page) + 5));
        Assert.Equal(0, await file.DedupeAsync(source, 3, 4, 100 * Page));
        Assert.Equal(0, await file.DedupeAsync(source, 300 * Page, 0, Page));
        Assert.Equal(0, await file.DedupeAsync(source, 0, 0, 0));
        await Assert.ThrowsAsync<ArgumentException>(() => file.DedupeAsync(file, 0, Page, 2 * Page).AsTask());
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => file.DedupeAsync(source, 0, -1, Page).AsTask());
        await Assert.ThrowsAsync<ArgumentNullException>(() => file.DedupeAsync(null!, 0, 0, Page).AsTask());

        AssertContent(other, file);
        AssertContent(content, source);
        AssertOnDisk(other, file.Path);
        AssertOnDisk(content, source.Path);
        Verify();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    [Trait("Row", "B11")]
    public async Task What_is_written_meanwhile_is_kept(FileSystemKind kind)
    {
        UseWritableCache(dirtyAge: TimeSpan.FromMilliseconds(10));
        var folder = FolderOn(kind);
        const int pages = 400;
        var content = Bytes(pages * Page, 1);
        await using var source = OpenNew(Path.Combine(folder, "source"), content);
        await using var file = OpenNew(Path.Combine(folder, "file"), content);
        using var stop = new CancellationTokenSource();
        var expected = content.ToArray();
        var writer = Task.Run(async () =>
        {
            var random = new Random(5);
            while (!stop.IsCancellationRequested)
            {
                // Away from the source's content, and back to it.
                var at = random.Next(pages) * Page;
                var bytes = random.Next(2) == 0 ? content[at..(at + Page)] : Bytes(Page, random.Next());
                await file.File.WriteAsync(at, bytes);
                bytes.CopyTo(expected, at);
            }
        });
        for (var i = 0; i < 6; i++)
        {
            for (var at = 0; at < pages; at += 16)
            {
                Assert.InRange(await file.DedupeAsync(source, at * Page, at * Page, 16 * Page), 0, 16 * Page);
            }
        }

        await stop.CancelAsync();
        await writer;
        AssertContent(expected, file);
        AssertContent(content, source);
        await file.File.FlushAsync();
        AssertOnDisk(expected, file.Path);
        AssertOnDisk(content, source.Path);
        Verify();
    }
}
