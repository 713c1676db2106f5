using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests;

/// <summary>The device under the cache, asked directly.</summary>
public sealed class DeviceTests(MountedFileSystems fileSystems) : ReflinkTest(fileSystems)
{
    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public void Bytes_past_the_end_of_the_file_are_cleared(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "file");
        var content = Write(path, Bytes(4096 + 100, 1));
        using var file = Store.Open(path);
        Memory<byte>[] buffers = [Filled(2048), Filled(2048), Filled(4096)];

        var read = file.File.Volume.Device.Read(RunAt(file, 0, 8192), new BlockOrigin(file.Origin, 0), buffers);

        Assert.Equal(8192, read);
        byte[] actual = [.. buffers[0].Span, .. buffers[1].Span, .. buffers[2].Span];
        Assert.Equal([.. content, .. new byte[4096 - 100]], actual);
    }

    [Theory]
    [OnFileSystem(Xfs)]
    [OnFileSystem(Btrfs)]
    public async Task Buffers_that_are_not_aligned_are_read_by_way_of_others(FileSystemKind kind)
    {
        var path = Path.Combine(FolderOn(kind), "file");
        var content = Write(path, Bytes(16384, 1));
        using var file = Store.Open(path);
        var array = Filled(20000);
        IReadOnlyList<Memory<byte>> buffers = [array.AsMemory(1, 5000), array.AsMemory(6001, 3192)];

        var read = await file.File.Volume.Device.ReadAsync(
            RunAt(file, 4096, 8192), new BlockOrigin(file.Origin, 4096), buffers, CancellationToken.None);

        Assert.Equal(8192, read);
        byte[] actual = [.. buffers[0].Span, .. buffers[1].Span];
        Assert.Equal(content[4096..12288], actual);
        Assert.Equal(0xFF, array[0]);
        Assert.Equal(0xFF, array[9193]);
        Assert.Equal(0, KernelPageCache.GetCachedBytes(path));
    }

    [ReflinkFact(Xfs)]
    public void Blocks_that_the_file_does_not_show_there_are_not_read()
    {
        var path = Path.Combine(FolderOn(Xfs), "file");
        Write(path, Bytes(16384, 1));
        using var file = Store.Open(path);
        var run = RunAt(file, 4096, 4096);

        var error = Assert.Throws<ReflinkFileChangedException>(
            () => file.File.Volume.Device.Read(run, new BlockOrigin(file.Origin, 8192), [Filled(4096)]));

        Assert.Equal(ReflinkChanges.Extents, error.Changes);
    }

    [ReflinkFact(Xfs, Btrfs)]
    public void Files_of_another_file_system_are_refused()
    {
        var one = Path.Combine(FolderOn(Xfs), "file");
        var other = Path.Combine(FolderOn(Btrfs), "file");
        Write(one, Bytes(4096, 1));
        Write(other, Bytes(4096, 2));
        using var first = Store.Open(one);
        using var second = Store.Open(other);

        Assert.Throws<ArgumentException>(
            () => first.File.Volume.Device.Read(RunAt(second, 0, 4096), new BlockOrigin(second.Origin, 0), [Filled(4096)]));
    }

    [ReflinkFact(Xfs)]
    public void A_closed_file_is_not_read()
    {
        var path = Path.Combine(FolderOn(Xfs), "file");
        Write(path, Bytes(4096, 1));
        var file = Store.Open(path);
        var run = RunAt(file, 0, 4096);
        file.Dispose();

        Assert.Throws<ObjectDisposedException>(
            () => file.File.Volume.Device.Read(run, new BlockOrigin(file.Origin, 0), [Filled(4096)]));
    }

    private static BlockRun RunAt(ReflinkedFile file, long offset, long length)
    {
        var extent = file.Origin.Table.Extents.First(extent => extent.FileOffset <= offset && offset < extent.FileEnd);
        return new BlockRun(extent.PhysicalOffset + (offset - extent.FileOffset), length);
    }

    private static byte[] Filled(int length)
    {
        var buffer = new byte[length];
        buffer.AsSpan().Fill(0xFF);
        return buffer;
    }
}
