using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests;

public sealed class SharedReadingTests(MountedFileSystems fileSystems) : ReflinkTest(fileSystems)
{
    private const int Size = 4 << 20;

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Reflinks_that_are_opened_independently_cost_one_copy(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var content = Write(Path.Combine(folder, "image"), Bytes(Size, 1));
        var files = Enumerable.Range(0, 20)
            .Select(i => Store.Open(Reflink(Path.Combine(folder, "image"), Path.Combine(folder, $"copy-{i}"))))
            .ToList();

        foreach (var file in files)
        {
            AssertContent(content, file);
        }

        var statistics = Cache.GetStatistics();
        Assert.Equal(Size, statistics.ResidentBytes);
        Assert.Equal(Size / 4096, statistics.DevicePagesRead);
        Assert.Equal(20L * Size, statistics.LogicalBytes);
        Assert.Equal(2, statistics.Leaves);
        Assert.Equal(0, files.Sum(static file => KernelPageCache.GetCachedBytes(file.Path)));
        Assert.Single(files.Select(static file => file.File.Volume).Distinct());
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A_file_that_was_opened_before_it_was_cloned_shares_leaves_with_the_clone(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var content = Write(Path.Combine(folder, "image"), Bytes(Size, 1));
        using var first = Store.Open(Path.Combine(folder, "image"));
        AssertContent(content, first);
        using var second = Store.Open(Reflink(first.Path, Path.Combine(folder, "copy")));

        AssertContent(content, second);

        Assert.Equal(Size / 4096, Cache.GetStatistics().DevicePagesRead);
        Assert.Equal(2, Cache.GetStatistics().Leaves);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Only_blocks_that_diverged_are_read_again(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var content = Write(Path.Combine(folder, "image"), Bytes(Size, 1));
        var copy = Reflink(Path.Combine(folder, "image"), Path.Combine(folder, "copy"));
        var changed = Bytes(3 * 4096, 2);
        Overwrite(copy, 10 * 4096, changed);
        using var first = Store.Open(Path.Combine(folder, "image"));
        using var second = Store.Open(copy);

        AssertContent(content, first);
        AssertContent([.. content[..(10 * 4096)], .. changed, .. content[(13 * 4096)..]], second);

        var distinct = Size + DistinctBeyond(first, second);
        Assert.Equal(distinct, Cache.GetStatistics().ResidentBytes);
        Assert.Equal(distinct / 4096, Cache.GetStatistics().DevicePagesRead);
    }

    [Theory]
    [OnFileSystem(Xfs, 4097)]
    [OnFileSystem(Xfs, 1)]
    [OnFileSystem(Xfs, 8191)]
    [OnFileSystem(Btrfs, 4097)]
    [OnFileSystem(Btrfs, 8191)]
    public async Task A_tail_page_reads_zero_past_the_end_and_is_shared_by_files_that_end_alike(FileSystemKind kind, int length)
    {
        var folder = FolderOn(kind);
        var content = Write(Path.Combine(folder, "image"), Bytes(length, 1));
        using var first = Store.Open(Path.Combine(folder, "image"));
        using var second = Store.Open(Reflink(first.Path, Path.Combine(folder, "copy")));

        AssertContent(content, first);
        AssertContent(content, second);

        Assert.Equal((length + 4095) / 4096, Cache.GetStatistics().DevicePagesRead);
        Assert.Equal(0, first.File.Read(length, new byte[10]));
        using (var lease = await first.File.PinAsync(length - 1))
        {
            Assert.Equal(1, lease.Memory.Length);
        }

        Assert.Equal(0, KernelPageCache.GetCachedBytes(first.Path));
        Assert.Equal(0, KernelPageCache.GetCachedBytes(second.Path));
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Holes_and_unwritten_ranges_read_zero_and_cost_no_frame(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "sparse");
        var block = Bytes(8192, 1);
        Write(path, []);
        Command.Run("fallocate", "-l", "1MiB", path);
        Overwrite(path, 512 << 10, block);
        using (var file = File.OpenWrite(path))
        {
            file.SetLength(4 << 20);
        }

        using var opened = Store.Open(path);
        Assert.Contains(opened.GetPhysicalExtents(), static extent => extent.IsUnwritten);
        var expected = new byte[4 << 20];
        block.CopyTo(expected, 512 << 10);

        AssertContent(expected, opened);

        Assert.Equal(8192, Cache.GetStatistics().ResidentBytes);
        Assert.Equal(2, Cache.GetStatistics().DevicePagesRead);
    }

    [Theory]
    [OnFileSystem(Xfs, 512)]
    [OnFileSystem(Xfs, 1024)]
    [OnFileSystem(Xfs, 16384)]
    [OnFileSystem(Xfs, 65536)]
    [OnFileSystem(Btrfs, 512)]
    [OnFileSystem(Btrfs, 65536)]
    public void Pages_need_not_be_as_large_as_blocks(FileSystemKind kind, int pageSize)
    {
        UseCache(new PageCacheOptions { CapacityBytes = 64 << 20, PageSize = pageSize });
        var folder = FolderOn(kind);
        var content = Write(Path.Combine(folder, "image"), Bytes((1 << 20) + 777, 1));
        var copy = Reflink(Path.Combine(folder, "image"), Path.Combine(folder, "copy"));
        var changed = Bytes(4096, 2);
        Overwrite(copy, 20 * 4096, changed);
        using var first = Store.Open(Path.Combine(folder, "image"));
        using var second = Store.Open(copy);

        AssertContent(content, first);
        AssertContent([.. content[..(20 * 4096)], .. changed, .. content[(21 * 4096)..]], second);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void A_block_that_one_file_shows_at_two_offsets_is_one_page(FileSystemKind kind)
    {
        var folder = FolderOn(kind);
        var content = Write(Path.Combine(folder, "image"), Bytes(256 << 10, 1));
        var twice = Path.Combine(folder, "twice");
        Write(twice, []);
        Command.Run("xfs_io", "-c", $"reflink {Path.Combine(folder, "image")} 0 0 262144", twice);
        Command.Run("xfs_io", "-c", $"reflink {Path.Combine(folder, "image")} 65536 262144 196608", twice);
        using var file = Store.Open(twice);

        AssertContent([.. content, .. content[65536..]], file);

        Assert.Equal(256 << 10, Cache.GetStatistics().ResidentBytes);
        Assert.Equal(64, Cache.GetStatistics().DevicePagesRead);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Asynchronous_reads_see_the_same(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "image");
        var content = Write(path, Bytes(300_001, 1));
        using var file = Store.Open(path);
        var actual = new byte[content.Length];

        Assert.Equal(content.Length, await file.File.ReadAsync(0, actual));

        Assert.Equal(content, actual);
    }

    [ReflinkFact(Btrfs)]
    public void Snapshots_of_a_subvolume_share_although_their_device_numbers_differ()
    {
        var folder = FolderOn(Btrfs);
        var origin = Path.Combine(folder, "origin");
        var snapshot = Path.Combine(folder, "snapshot");
        Command.Run("btrfs", "subvolume", "create", origin);
        var content = Write(Path.Combine(origin, "image"), Bytes(Size, 1));
        Command.Run("btrfs", "subvolume", "snapshot", origin, snapshot);
        try
        {
            using var first = Store.Open(Path.Combine(origin, "image"));
            using var second = Store.Open(Path.Combine(snapshot, "image"));

            AssertContent(content, first);
            AssertContent(content, second);

            Assert.Same(first.File.Volume, second.File.Volume);
            Assert.NotEqual(first.File.Id, second.File.Id);
            Assert.Equal(Size / 4096, Cache.GetStatistics().DevicePagesRead);
        }
        finally
        {
            Command.Run("btrfs", "subvolume", "delete", snapshot, origin);
        }
    }

    [ReflinkFact(Xfs, Btrfs)]
    public void Two_file_systems_do_not_share()
    {
        var one = Path.Combine(FolderOn(Xfs), "image");
        var other = Path.Combine(FolderOn(Btrfs), "image");
        var content = Write(one, Bytes(Size, 1));
        var otherContent = Write(other, Bytes(Size, 2));
        using var first = Store.Open(one);
        using var second = Store.Open(other);

        AssertContent(content, first);
        AssertContent(otherContent, second);

        Assert.NotEqual(first.File.Volume.Id, second.File.Volume.Id);
        Assert.Equal(2 * Size / 4096, Cache.GetStatistics().DevicePagesRead);
    }

    [ReflinkFact(Xfs)]
    public void A_copied_image_with_the_same_uuid_and_the_same_addresses_does_not_share()
    {
        using var mount = LoopMount.Make(Xfs);
        var content = Write(Path.Combine(mount.Root, "image"), Bytes(Size, 1));
        mount.Unmount();
        using var twin = LoopMount.MakeTwin(mount.Image);
        mount.Mount("loop,nouuid");
        var twinContent = Bytes(Size, 2);
        Overwrite(Path.Combine(twin.Root, "image"), 0, twinContent);
        using var first = Store.Open(Path.Combine(mount.Root, "image"));
        using var second = Store.Open(Path.Combine(twin.Root, "image"));
        Assert.Equal(first.GetPhysicalExtents()[0].PhysicalOffset, second.GetPhysicalExtents()[0].PhysicalOffset);

        AssertContent(content, first);
        AssertContent(twinContent, second);

        Assert.NotEqual(first.File.Volume.Id, second.File.Volume.Id);
    }

    /// <summary>Bytes of blocks that the second file shows and the first does not.</summary>
    private static long DistinctBeyond(ReflinkedFile first, ReflinkedFile second)
    {
        static IEnumerable<long> Blocks(ReflinkedFile file) => file.GetPhysicalExtents()
            .SelectMany(static extent => Enumerable.Range(0, (int)(extent.Length / 4096)).Select(i => extent.PhysicalOffset / 4096 + i));

        return Blocks(second).Except(Blocks(first)).Count() * 4096L;
    }
}
