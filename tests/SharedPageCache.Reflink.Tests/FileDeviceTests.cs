using SharedPageCache.Reflink.Tests.Mounts;
using static SharedPageCache.Reflink.Tests.Mounts.FileSystemKind;

namespace SharedPageCache.Reflink.Tests;

/// <summary>The core's device over a file, where the disk below wants more than it is given.</summary>
public sealed class FileDeviceTests
{
    /// <summary>The file system takes the flag for direct I/O, and refuses each read that is no whole sector.</summary>
    [ReflinkFact(Xfs)]
    public void On_sectors_larger_than_its_blocks_a_file_is_read_by_way_of_the_kernels_cache()
    {
        using var mount = LoopMount.MakeOnLargeSectors(4096);
        var path = Path.Combine(mount.Root, "disk.img");
        var content = new byte[16 << 10];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(path, content);

        using var small = FileBlockDevice.Open(path, new FileBlockDeviceOptions { BlockSize = 512 });
        using var fitting = FileBlockDevice.Open(path, new FileBlockDeviceOptions { BlockSize = 4096 });

        Assert.False(small.IsDirect);
        Assert.True(fitting.IsDirect);
        Assert.Equal(content, ReadThroughACache(small, 512));
        Assert.Equal(content, ReadThroughACache(fitting, 4096));
    }

    private static byte[] ReadThroughACache(FileBlockDevice device, int pageSize)
    {
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 1 << 20, PageSize = pageSize });
        using var volume = cache.AttachVolume(device);
        using var file = volume.OpenFile(new ExtentList(new Extent(0, device.Length, 0)), device.Length);
        var bytes = new byte[device.Length];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        cache.Verify();
        return bytes;
    }
}
