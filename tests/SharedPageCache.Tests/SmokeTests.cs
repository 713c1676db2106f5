using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests;

public class SmokeTests
{
    [Theory]
    [InlineData(EvictionPolicy.S3Fifo, 64, 4096)]
    [InlineData(EvictionPolicy.Clock, 64, 4096)]
    [InlineData(EvictionPolicy.S3Fifo, 5, 512)]
    [InlineData(EvictionPolicy.S3Fifo, 6, 65536)]
    public async Task Clones_read_what_the_device_holds(EvictionPolicy policy, int frames, int pageSize)
    {
        var device = new MemoryDevice(4 << 20).Stamp();
        using var cache = new PageCache(new PageCacheOptions { PageSize = pageSize, Policy = policy, ExactFrameCount = frames });
        using var volume = cache.AttachVolume(device);
        var extents = new CloneableExtents(new Extent(0, 1 << 20, 1 << 20), new Extent(1 << 20, 1 << 20, 0), new Extent(3 << 20, 65536, 2 << 20));
        using var file = volume.OpenFile(extents, (3 << 20) + 5000);
        using var clone = file.Clone();
        var expected = new byte[file.Length];
        device.Bytes.Slice(1 << 20, 1 << 20).CopyTo(expected);
        device.Bytes.Slice(0, 1 << 20).CopyTo(expected.AsSpan(1 << 20));
        device.Bytes.Slice(2 << 20, 5000).CopyTo(expected.AsSpan(3 << 20));
        var buffer = new byte[file.Length + 100];
        Assert.Equal(file.Length, file.Read(0, buffer));
        Assert.True(expected.AsSpan().SequenceEqual(buffer.AsSpan(0, expected.Length)));
        Array.Clear(buffer);
        Assert.Equal(file.Length, await clone.ReadAsync(0, buffer));
        Assert.True(expected.AsSpan().SequenceEqual(buffer.AsSpan(0, expected.Length)));
        cache.Verify();
        Assert.True(cache.GetStatistics().ResidentBytes > 0, cache.Dump());
    }
}
