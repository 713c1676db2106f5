using System.Buffers;

// The code of the packages' own README.md files: what stands between the markers stands there word for word.
namespace SharedPageCache.Tests.PackageStarts;

public static class CoreStart
{
    public static PageCacheStatistics Run(string path)
    {
        // <core-start>
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 64 << 20 });
        using var device = FileBlockDevice.Open(path);              // a disk image, or any other file, as a device of blocks
        using var volume = cache.AttachVolume(device);

        // Two files over the same blocks, and a clone: your engine says where each file lies.
        using var one = volume.OpenFile(new ExtentList(new Extent(FileOffset: 0, Length: 4096, PhysicalOffset: 8192)), length: 4096);
        using var two = volume.OpenFile(new ExtentList(new Extent(FileOffset: 0, Length: 8192, PhysicalOffset: 8192)), length: 8192);
        using var clone = two.Clone();

        var buffer = new byte[4096];
        one.Read(0, buffer);                                        // one read of the device ...
        two.Read(0, buffer);                                        // ... for all three files
        clone.Read(0, buffer);
        Console.WriteLine(cache.GetStatistics().SavedBytes);        // 8192: three pages shown, one in memory
        // </core-start>

        return cache.GetStatistics();
    }
}

// <abstractions-start>
/// <summary>A file that lies in one piece on its device and never changes.</summary>
public sealed class ContiguousFile(long firstByte, long size) : IExtentMap
{
    public long Sequence => 0;      // a file that changes counts this up before each change of its extents

    public ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken)
    {
        destination.Write([new Extent(FileOffset: 0, Length: size, PhysicalOffset: firstByte)]);  // may cover more than was asked
        return ValueTask.CompletedTask;
    }
}
// </abstractions-start>
