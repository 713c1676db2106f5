using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests.Writing;

/// <summary>Clones that get their names later, by themselves or many at once.</summary>
public sealed class LaterNameTests(MountedFileSystems fileSystems) : WritingTest(fileSystems)
{
    private const int Size = 1 << 20;

    /// <summary>What is written to a file that has no name is made durable by no flush, but when it gets one; whatever the file system has committed by then.</summary>
    [Theory]
    [OnFileSystem(Xfs, 1, false)]
    [OnFileSystem(Btrfs, 1, false)]
    [OnFileSystem(Btrfs, 1, true)]
    [OnFileSystem(Xfs, 20, false)]
    [OnFileSystem(Btrfs, 20, false)]
    [OnFileSystem(Btrfs, 20, true)]
    public async Task A_clone_that_was_written_before_it_had_a_name_is_durable_with_it(FileSystemKind kind, int count, bool isCommitted)
    {
        var (passing, named) = (Path.Combine(FolderOn(Xfs), "passing"), Path.Combine(FolderOn(Xfs), "named"));
        var content = Bytes(Size, 1);
        var contents = new List<byte[]>();
        using (var mount = LoopMount.Make(kind, 400 << 20))
        {
            var path = Path.Combine(mount.Root, "image");
            await using var file = OpenNew(path, content);
            var clones = new List<ReflinkedFile>();
            for (var i = 0; i < count; i++)
            {
                clones.Add(await file.CloneForLaterAsync($"{path}.{i}", $"{path}.passing.{i}"));
                clones[i].File.Write(7 * Page, Bytes(Page, i));
                contents.Add(Overlaid(content, 7 * Page, Bytes(Page, i)));
                await clones[i].File.FlushAsync();
            }

            if (isCommitted)
            {
                Command.Run("sync", "-f", mount.Root);
            }

            ReflinkedFile.MakeDurable(clones);
            mount.CopyTo(passing);
            clones.ForEach(static clone => clone.TakeName());
            Assert.Equal(1, file.Origin.Volume.CloneFlushes);
            Native.WritableFile.FlushFolder(path);
            mount.CopyTo(named);
            clones.ForEach(static clone => clone.Dispose());
            await Store.DisposeAsync();
        }

        foreach (var (image, prefix) in new[] { (passing, "image.passing"), (named, "image") })
        {
            using var again = LoopMount.MakeAfterPowerCut(kind, image);
            for (var i = 0; i < count; i++)
            {
                AssertOnDisk(contents[i], Path.Combine(again.Root, $"{prefix}.{i}"));
            }
        }
    }

    /// <summary>Nothing is flushed for it, and it lies where the file does without having been asked.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_clone_that_is_named_later_is_a_file_of_its_own_before_and_after(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "image");
        var content = Bytes(Size + 50, 1);
        await using var file = OpenNew(path, content);
        AssertContent(content, file);
        var reads = Figures.DevicePagesRead;
        await using var clone = await file.CloneForLaterAsync(path + ".clone", path + ".passing");
        await using var another = await clone.CloneForLaterAsync(path + ".another", path + ".passing.2");

        Assert.Equal(path + ".clone", clone.Path);
        Assert.Equal([path], Directory.GetFiles(folder));
        Assert.Equal(BlocksOf(path), BlocksOf(clone));
        AssertContent(content, clone);
        AssertContent(content, another);
        Assert.Equal(reads, Figures.DevicePagesRead);
        Verify();

        // Written before it has its name, as any file.
        clone.File.Write(3 * Page, Bytes(2 * Page, 2));
        var written = Overlaid(content, 3 * Page, Bytes(2 * Page, 2));
        await clone.File.FlushAsync();
        Assert.Equal([path], Directory.GetFiles(folder));
        clone.TakePassingName();
        clone.TakePassingName();
        AssertOnDisk(written, path + ".passing");
        clone.TakeName();
        Assert.False(File.Exists(path + ".passing"));
        AssertOnDisk(written, clone.Path);
        clone.File.Write(0, Bytes(Page, 3));
        await clone.File.FlushAsync();
        written = Overlaid(written, 0, Bytes(Page, 3));
        AssertOnDisk(written, clone.Path);
        clone.TakeName();

        // Who has taken the name meanwhile keeps it, and it can be tried again.
        await File.WriteAllTextAsync(another.Path, "somebody else's");
        Assert.Throws<IOException>(another.TakeName);
        Assert.Equal("somebody else's", await File.ReadAllTextAsync(another.Path));
        File.Delete(another.Path);
        another.MakeDurable();
        another.TakeName();
        AssertOnDisk(content, another.Path);
        AssertContent(content, file);
        AssertContent(written, clone);
        AssertContent(content, another);
        Verify();
    }

    /// <summary>They are counted once for all of them; who changes, or goes, leaves the others what they show.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Clones_that_nobody_has_changed_outlive_each_other(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size, 1);
        var file = OpenNew(path, content);
        AssertContent(content, file);
        var clones = new List<ReflinkedFile> { file };
        for (var i = 1; i <= 4; i++)
        {
            clones.Add(await clones[i - 1].CloneForLaterAsync($"{path}.{i}", $"{path}.passing.{i}"));
        }

        Verify();
        var reads = Figures.DevicePagesRead;

        // The first one was the witness of all blocks: somebody who comes from outside asks another one, and finds them in memory.
        await file.DisposeAsync();
        Verify();
        clones[2].TakePassingName();
        Reflink($"{path}.passing.2", path + ".outsider");
        using (var outsider = Store.OpenForWriting(path + ".outsider"))
        {
            AssertContent(content, outsider);
            Assert.Equal(reads, Figures.DevicePagesRead);
            Verify();
            outsider.File.Write(0, Bytes(Page, 5));
            await outsider.File.FlushAsync();
            Verify();
        }

        clones[1].File.Write(2 * Page, Bytes(Page, 2));
        await clones[1].File.FlushAsync();
        clones[2].File.SetLength(Size / 2);
        await clones[2].File.FlushAsync();
        Verify();
        clones[3].File.Delete();
        clones[3].Dispose();
        await clones[4].File.Volume.FlushAsync();
        Verify();
        AssertContent(Overlaid(content, 2 * Page, Bytes(Page, 2)), clones[1]);
        AssertContent(content[..(Size / 2)], clones[2]);
        AssertContent(content, clones[4]);
        Assert.Equal(reads, Figures.DevicePagesRead);
        clones.ForEach(static clone => clone.Dispose());
        Verify();
        Assert.Equal(0, Figures.ResidentBytes);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task A_clone_that_is_deleted_before_it_has_its_name_leaves_nothing(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var path = Path.Combine(folder, "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        var clone = await file.CloneForLaterAsync(path + ".clone", path + ".passing");
        await File.WriteAllTextAsync(clone.Path, "somebody else's");
        clone.File.Delete();
        clone.TakeName();
        await clone.DisposeAsync();
        await file.File.Volume.FlushAsync();
        Assert.Equal(["image", "image.clone"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        // So does one that is closed before it has any.
        (await file.CloneForLaterAsync(path + ".other", path + ".passing")).Dispose();
        Assert.Equal(["image", "image.clone"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));

        // A passing name that is taken stays whose it is, and the clone can have it later.
        await using var another = await file.CloneForLaterAsync(path + ".other", path + ".clone");
        Assert.Throws<IOException>(another.TakePassingName);
        Assert.Throws<IOException>(another.MakeDurable);
        Assert.Throws<IOException>(another.TakeName);
        Assert.Equal("somebody else's", await File.ReadAllTextAsync(path + ".clone"));
        File.Delete(path + ".clone");
        another.TakeName();
        AssertOnDisk(content, another.Path);
        AssertContent(content, file);
        Verify();
    }

    /// <summary>More than are made durable one by one.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Many_clones_are_made_durable_together_and_named(FileSystemKind kind)
    {
        const int Count = 40;
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        AssertContent(content, file);
        var clones = new List<ReflinkedFile>();
        for (var i = 0; i < Count; i++)
        {
            clones.Add(await file.CloneForLaterAsync($"{path}.{i}", $"{path}.passing.{i}"));
        }

        clones[7].File.Write(0, Bytes(Page, 2));
        await file.File.Volume.FlushAsync();
        var volume = file.Origin.Volume;
        Assert.Equal(0, volume.CloneFlushes);
        ReflinkedFile.MakeDurable(clones);
        Assert.Equal(1, volume.CloneFlushes);
        ReflinkedFile.MakeDurable([.. clones, file]);
        clones.ForEach(static clone => clone.TakeName());
        Assert.Equal(1, volume.CloneFlushes);
        for (var i = 0; i < Count; i++)
        {
            AssertOnDisk(i == 7 ? Overlaid(content, 0, Bytes(Page, 2)) : content, $"{path}.{i}");
            Assert.False(File.Exists($"{path}.passing.{i}"));
        }

        // Few are cheaper alone. What is closed has to be left out.
        for (var i = 0; i < 3; i++)
        {
            clones.Add(await file.CloneForLaterAsync($"{path}.few.{i}", $"{path}.passing.few.{i}"));
        }

        clones[^1].Dispose();
        Assert.Throws<ObjectDisposedException>(() => ReflinkedFile.MakeDurable(clones));
        ReflinkedFile.MakeDurable(clones[..^1]);
        Assert.Equal(3, volume.CloneFlushes);
        Verify();
        clones.ForEach(static clone => clone.Dispose());
    }

    /// <summary>The file's extents are not what its clone takes over while some of them have no place yet.</summary>
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task What_is_dirty_or_queued_is_flushed_for_a_clone_that_is_named_later(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Bytes(Size, 1);
        await using var file = OpenNew(path, content);
        file.File.Write(5 * Page + 7, Bytes(3 * Page, 2));
        content = Overlaid(content, 5 * Page + 7, Bytes(3 * Page, 2));
        await using var first = await file.CloneForLaterAsync(path + ".1", path + ".passing.1");
        Assert.Equal(0, Figures.DirtyBytes);
        file.File.SetLength(Size / 2);
        await using var second = await file.CloneForLaterAsync(path + ".2", path + ".passing.2");
        first.TakeName();
        second.TakeName();
        AssertOnDisk(content, first.Path);
        AssertOnDisk(content[..(Size / 2)], second.Path);
        AssertContent(content, first);
        AssertContent(content[..(Size / 2)], second);
        Assert.Equal(BlocksOf(path), BlocksOf(second.Path));
        Verify();
    }
}
