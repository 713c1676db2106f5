using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests;

/// <summary>A file that others change while it is open here.</summary>
public sealed class ChangedFileTests(MountedFileSystems fileSystems) : ReflinkTest(fileSystems)
{
    private const int Size = 1 << 20;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void An_overwritten_file_is_refused_by_the_next_read_of_the_device(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        Write(path, Bytes(Size, 1));
        using var file = Store.Open(path);
        file.File.Read(0, new byte[4096]);
        Overwrite(path, 5000, [1, 2, 3]);

        var error = AssertRefused(() => file.File.Read(8192, new byte[4096]));

        Assert.Equal(path, error.Path);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains("modification time", error.Message, StringComparison.Ordinal);
        Assert.True((error.Changes & ReflinkChanges.ModificationTime) != 0);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Revalidating_finds_every_kind_of_change(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var changes = new (string Name, Action<string> Change, ReflinkChanges Expected)[]
        {
            ("truncated", static path => SetLength(path, 10), ReflinkChanges.Size),
            ("grown", static path => SetLength(path, 2 * Size), ReflinkChanges.Size),
            ("written", static path => Overwrite(path, 0, [7]), ReflinkChanges.ModificationTime),
            ("punched", static path => Command.Run("fallocate", "-p", "-o", "0", "-l", "4096", path), ReflinkChanges.ModificationTime),
            ("forged", static path => OverwriteAndSetTimeBack(path), ReflinkChanges.ChangeTime),
            ("renamed", static path => File.Move(path, path + ".new"), ReflinkChanges.ChangeTime),
        };
        foreach (var (name, change, expected) in changes)
        {
            var path = Path.Combine(folder, name);
            Write(path, Bytes(Size, 1));
            using var file = Store.Open(path);
            file.Revalidate();
            ReadAll(file);

            change(path);

            Assert.True((Assert.Throws<ReflinkFileChangedException>(file.Revalidate).Changes & expected) != 0, name);

            // Cached pages are refused from then on too.
            AssertRefused(() => file.File.Read(0, new byte[10]));
            Assert.Throws<ReflinkFileChangedException>(file.Revalidate);
        }
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A_changed_file_can_be_opened_again_beside_the_refused_handle(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        Write(path, Bytes(Size, 1));
        using var old = Store.Open(path);
        ReadAll(old);
        var content = Bytes(Size + 5, 2);
        Overwrite(path, 0, content);

        using var fresh = Store.Open(path);

        AssertContent(content, fresh);
        Assert.Throws<ReflinkFileChangedException>(old.Revalidate);
        Assert.NotEqual(old.File.Id, fresh.File.Id);
        old.Dispose();
        AssertContent(content, fresh);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A_deleted_file_stays_readable(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(Size, 1));
        using var file = Store.Open(path);
        file.File.Read(0, new byte[4096]);

        File.Delete(path);

        AssertContent(content, file);
        file.Revalidate();
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A_file_whose_metadata_changed_is_accepted_if_asked_for(FileSystemKind kind)
    {
        UseCache(
            new PageCacheOptions { CapacityBytes = 64 << 20 },
            new ReflinkStoreOptions { ChangeCheck = ReflinkChangeCheck.ModificationTime });
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(Size, 1));
        using var file = Store.Open(path);
        File.Move(path, path + ".new");
        File.SetUnixFileMode(path + ".new", UnixFileMode.UserRead);

        AssertContent(content, file);

        Overwrite(path + ".new", 0, [1]);
        Assert.Throws<ReflinkFileChangedException>(file.Revalidate);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Making_a_reflink_of_an_open_file_does_not_change_it(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(Size, 1));
        using var file = Store.Open(path);

        Reflink(path, path + ".copy");

        file.Revalidate();
        AssertContent(content, file);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Other_files_that_wait_for_the_block_are_served_when_the_one_that_loads_it_has_changed(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(Size, 1));
        using var changed = Store.Open(path);
        using var sound = Store.Open(Reflink(path, path + ".copy"));
        Overwrite(path, 0, [1]);
        var failures = 0;

        Parallel.For(0, 8, i =>
        {
            var file = i % 2 == 0 ? changed : sound;
            for (var offset = 0; offset < Size; offset += 4096)
            {
                try
                {
                    var page = new byte[4096];
                    file.File.Read(offset, page);
                    Assert.True(content.AsSpan(offset, 4096).SequenceEqual(page));
                }
                catch (IOException) when (file == changed)
                {
                    Interlocked.Increment(ref failures);
                }
            }
        });

        Assert.True(failures > 0);
    }

    private static void SetLength(string path, long length)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(length);
    }

    private static void OverwriteAndSetTimeBack(string path)
    {
        var time = File.GetLastWriteTimeUtc(path);
        Command.Run("touch", "-r", path, path + ".time");
        Overwrite(path, 0, [7]);
        Command.Run("touch", "-r", path + ".time", path);
        Assert.Equal(time, File.GetLastWriteTimeUtc(path));
    }
}
