using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>Full devices, and others who write to the same files.</summary>
public sealed class WritingTroubleTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task On_a_full_device_a_flush_fails_loses_nothing_and_succeeds_when_there_is_room(FileSystemKind kind)
    {
        const int size = 4 << 20;
        using var mount = LoopMount.Make(kind, 320L << 20);
        var path = Path.Combine(mount.Root, "image");
        Write(path, Bytes(10 * Page, 1));
        var file = Store.OpenForWriting(path);
        var small = OpenNew(Path.Combine(mount.Root, "small"), Bytes(Page, 5));
        Fill(Path.Combine(mount.Root, "filler"));
        var content = Bytes(size, 2);
        file.File.Write(0, content);

        var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.File.FlushAsync());

        Assert.Equal(28, Assert.IsType<IOException>(Innermost(error)).HResult & 0xFFFF);    // ENOSPC
        AssertContent(content, file);
        Assert.True(Figures.DirtyBytes > 0);
        await Assert.ThrowsAnyAsync<IOException>(async () => await file.CloneAsync(path + ".clone"));

        File.Delete(Path.Combine(mount.Root, "filler"));
        Command.Run("sync", "-f", mount.Root);
        await file.File.FlushAsync();
        small.File.Write(0, Bytes(Page, 6));
        await small.File.FlushAsync();

        AssertOnDisk(content, path);
        AssertOnDisk(Bytes(Page, 6), small.Path);
        AssertContent(content, file);
        Assert.Equal(0, Figures.DirtyBytes);
        Verify();
        await small.DisposeAsync();
        await file.DisposeAsync();
        await Store.DisposeAsync();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_file_that_somebody_else_writes_to_is_refused_and_the_others_are_not(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "image");
        var file = OpenNew(path, Bytes(16 * Page, 1));
        await using var other = OpenNew(Path.Combine(folder, "other"), Bytes(16 * Page, 2));
        file.File.Write(0, Bytes(Page, 3));
        await file.File.FlushAsync();
        file.File.Write(Page, Bytes(Page, 4));
        other.File.Write(Page, Bytes(Page, 5));
        Overwrite(path, 5 * Page, Bytes(10, 6));

        var error = await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.File.FlushAsync());
        await Assert.ThrowsAsync<CacheWritebackException>(async () => await file.File.Volume.FlushAsync());

        Assert.IsType<ReflinkFileChangedException>(Innermost(error));
        AssertRefused(() => file.File.Read(8 * Page, new byte[Page]));
        await other.File.FlushAsync();
        AssertOnDisk(Overlaid(Bytes(16 * Page, 2), Page, Bytes(Page, 5)), other.Path);
        Assert.Throws<ReflinkFileChangedException>(() => Store.OpenForWriting(path));

        // What was meant for another file than there is now is given up with the handle, and the rest works on.
        file.Dispose();
        await other.File.Volume.FlushAsync();
        Assert.Equal(0, Figures.DirtyBytes);
        await using var again = Store.OpenForWriting(path);
        AssertContent(OnDisk(path), again);
        Assert.Equal(Bytes(10, 6), OnDisk(path)[(5 * Page)..(5 * Page + 10)]);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Blocks_that_were_moved_under_a_file_that_is_written_are_followed(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "image");
        var twin = Path.Combine(folder, "twin");
        var content = Bytes(32 * Page, 1);
        Write(twin, content);
        await using var file = OpenNew(path, content);
        using var other = Store.Open(twin);
        AssertContent(content, file);
        file.File.Write(0, Bytes(Page, 2));
        Command.Run("xfs_io", "-c", $"dedupe {twin} {16 * Page} {16 * Page} {16 * Page}", path);
        content = Overlaid(content, 0, Bytes(Page, 2));

        file.Revalidate();
        AssertContent(content, file);
        await file.File.FlushAsync();

        AssertOnDisk(content, path);
        AssertContent(content, file);
        AssertContent(Bytes(32 * Page, 1), other);
        Verify();
    }

    /// <summary>Blocks that a file gives up come back in another file, and nobody sees what was in them.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A8_blocks_that_were_cut_off_show_the_content_of_the_file_that_has_them_now(FileSystemKind kind)
    {
        const int size = 8 << 20;
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "image");
        await using var file = OpenNew(path, Bytes(size, 1));
        AssertContent(Bytes(size, 1), file);
        var extents = file.GetPhysicalExtents();
        file.File.SetLength(0);
        await file.File.FlushAsync();

        var (reusing, content) = ReuseBlocks(folder, extents, size);

        using var opened = Store.Open(reusing);
        AssertContent(content, opened);
    }

    /// <summary>Takes all the room of a file system.</summary>
    internal static void Fill(string path)
    {
        File.WriteAllBytes(path, []);
        foreach (var length in new[] { 64L << 20, 4 << 20, 256 << 10, Page })
        {
            try
            {
                while (true)
                {
                    var end = new FileInfo(path).Length;
                    Command.Run("fallocate", "-o", $"{end}", "-l", $"{length}", path);
                }
            }
            catch (InvalidOperationException)
            {
                // That much does not fit any more.
            }
        }

        Command.Run("sync", "-f", path);
    }

    private static Exception Innermost(Exception error)
    {
        while (error.InnerException is { } inner)
        {
            error = inner;
        }

        return error;
    }
}
