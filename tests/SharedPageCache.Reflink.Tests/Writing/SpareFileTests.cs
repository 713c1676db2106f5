using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>Files that are made ahead for clones that get their names later.</summary>
public sealed class SpareFileTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task The_more_clones_the_more_files_are_made_at_once_up_to_a_limit(FileSystemKind kind)
    {
        var (folder, other) = (FolderOn(kind), FolderOn(kind));
        var content = Bytes(8 * Page, 1);
        var file = OpenNew(Path.Combine(folder, "image"), content);
        var spares = ((WritableReflinkFile)file.Origin).Volume.Spares;
        var clones = new List<ReflinkedFile>();
        async Task<int> CloneIn(string place)
        {
            clones.Add(await file.CloneForLaterAsync(Path.Combine(place, $"{clones.Count}"), Path.Combine(place, $"passing.{clones.Count}")));
            return spares.Count;
        }

        var counts = new List<int>();
        for (var i = 0; i < 40; i++)
        {
            counts.Add(await CloneIn(folder));
        }

        // One, two, four, and then eight at once.
        Assert.Equal([0, 1, 0, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0, 7, 6], counts[..17]);
        Assert.Equal(SpareFiles.Most - 1, counts.Max());

        // What was made for one folder is of no use in another one.
        counts.Clear();
        for (var i = 0; i < 4; i++)
        {
            counts.Add(await CloneIn(other));
        }

        Assert.Equal([0, 1, 0, 3], counts);
        await file.File.Volume.FlushAsync();
        clones.ForEach(static clone => clone.TakeName());
        Assert.All(clones, clone => AssertOnDisk(content, clone.Path));
        Verify();

        // What is left is in no folder, and goes with the last file.
        Assert.Equal(41, Directory.GetFiles(folder).Length);
        clones.ForEach(static clone => clone.Dispose());
        Assert.Equal(3, spares.Count);
        file.Dispose();
        Assert.Equal(0, spares.Count);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_clone_has_the_permissions_that_its_origin_has(FileSystemKind kind)
    {
        const UnixFileMode first = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

        // More than a process gives its files, mostly.
        const UnixFileMode second = first | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite | UnixFileMode.OtherRead;
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var folder = FolderOn(kind);
        var modes = new List<UnixFileMode>();
        var files = new List<ReflinkedFile>();
        foreach (var mode in new[] { first, second, first })
        {
            var path = Path.Combine(folder, $"{files.Count}");
            Write(path, Bytes(8 * Page, 1));
            File.SetUnixFileMode(path, mode);
            files.Add(Store.OpenForWriting(path));
        }

        // All are open: some clones are made in files that were made ahead for clones of the file before.
        var spares = ((WritableReflinkFile)files[0].Origin).Volume.Spares;
        var taken = 0;
        foreach (var file in files)
        {
            taken += spares.Count > 0 ? 1 : 0;
            for (var i = 0; i < 2; i++)
            {
                await using var clone = await file.CloneForLaterAsync($"{file.Path}.{i}", $"{file.Path}.passing.{i}");
                clone.TakeName();
                modes.Add(File.GetUnixFileMode(clone.Path));
            }

            await using var another = await file.CloneAsync(file.Path + ".another");
            modes.Add(File.GetUnixFileMode(another.Path));
        }

        Assert.Equal(2, taken);
        Assert.Equal([first, first, first, second, second, second, first, first, first], modes);
        files.ForEach(static file => file.Dispose());
        Verify();
    }

    [ReflinkFact(Xfs)]
    public async Task Where_there_is_no_room_for_a_spare_file_there_is_none()
    {
        using var mount = LoopMount.Make(Xfs, 400 << 20, "-i", "maxpct=1");
        var path = Path.Combine(mount.Root, "image");
        var content = Bytes(8 * Page, 1);
        var file = OpenNew(path, content);
        var spares = ((WritableReflinkFile)file.Origin).Volume.Spares;
        var clones = new List<ReflinkedFile> { await file.CloneForLaterAsync(path + ".0", path + ".passing.0") };
        var fillers = Directory.CreateDirectory(Path.Combine(mount.Root, "fillers")).FullName;
        var count = 0;
        try
        {
            for (; ; count++)
            {
                File.OpenHandle(Path.Combine(fillers, $"{count}"), FileMode.CreateNew, FileAccess.Write).Dispose();
            }
        }
        catch (IOException)
        {
            // That was the last inode.
        }

        await Assert.ThrowsAsync<IOException>(async () => await file.CloneForLaterAsync(path + ".1", path + ".passing.1"));
        File.Delete(Path.Combine(fillers, "0"));
        for (var attempt = 1; clones.Count < 2; attempt++)
        {
            try
            {
                clones.Add(await file.CloneForLaterAsync(path + ".1", path + ".passing.1"));
            }
            catch (IOException) when (attempt < 1000)
            {
                // The file system takes an inode back when it gets round to it.
                await Task.Delay(10);
            }
        }

        Assert.Equal(0, spares.Count);
        foreach (var clone in clones)
        {
            clone.TakeName();
            AssertOnDisk(content, clone.Path);
            clone.Dispose();
        }

        file.Dispose();
        Verify();
        await Store.DisposeAsync();
    }
}
