using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests;

/// <summary>What the file system cannot name by blocks is read through the file and shared with nobody.</summary>
public sealed class PrivatePagesTests(MountedFileSystems fileSystems) : ReflinkTest(fileSystems)
{
    [ReflinkFact(CompressedBtrfs)]
    public void Compressed_extents_are_private()
    {
        var folder = FolderOn(CompressedBtrfs);
        var content = new byte[600_000];
        for (var i = 0; i < content.Length; i++)
        {
            content[i] = (byte)(i / 1000);
        }

        Write(Path.Combine(folder, "image"), content);
        File.Copy(Path.Combine(folder, "image"), Path.Combine(folder, "copy"));
        using var first = Store.Open(Path.Combine(folder, "image"));
        using var second = Store.Open(Path.Combine(folder, "copy"));
        Assert.All(first.GetPhysicalExtents(), static extent => Assert.False(extent.HasAddress));

        AssertContent(content, first);
        AssertContent(content, second);

        var pages = (content.Length + 4095) / 4096;
        Assert.Equal(2 * pages, Cache.GetStatistics().DevicePagesRead);
        Assert.Equal(2L * pages * 4096, Cache.GetStatistics().ResidentBytes);
        first.Dispose();
        Assert.Equal(0, KernelPageCache.GetCachedBytes(first.Path));
    }

    [ReflinkFact(Btrfs)]
    public void Inline_extents_are_private()
    {
        var folder = FolderOn(Btrfs);
        var content = Write(Path.Combine(folder, "small"), Bytes(1000, 1));
        using var file = Store.Open(Path.Combine(folder, "small"));
        Assert.True((file.GetPhysicalExtents()[0].Flags & PhysicalExtentFlags.Inline) != 0);

        AssertContent(content, file);

        Assert.True(Assert.Single(file.Origin.Table.Extents).IsOpaque);
        file.Dispose();
        Assert.Equal(0, KernelPageCache.GetCachedBytes(file.Path));
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Bytes_that_were_not_written_back_get_their_place_first(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "fresh");
        var content = Bytes(1 << 20, 1);
        File.WriteAllBytes(path, content);

        using var file = Store.Open(path);

        Assert.All(file.Origin.Table.Extents, static extent => Assert.False(extent.IsOpaque));
        AssertContent(content, file);
    }

    [ReflinkFact(Xfs)]
    public void A_private_page_of_a_changed_file_is_refused_too()
    {
        // Delayed allocation that never settles cannot be had on purpose; the table is made as if it were.
        var path = Path.Combine(FolderOn(Xfs), "file");
        Write(path, Bytes(8192, 1));
        using var file = Store.Open(path);
        var buffer = new byte[4096];
        Assert.Equal(4096, file.File.Volume.Device.Read(BlockRun.None, new BlockOrigin(file.Origin, 4096), [buffer]));
        Overwrite(path, 0, Bytes(10, 2));

        AssertRefused(() => file.File.Volume.Device.Read(BlockRun.None, new BlockOrigin(file.Origin, 4096), [buffer]));
    }
}
