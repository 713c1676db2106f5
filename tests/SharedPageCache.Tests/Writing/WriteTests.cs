using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.Writing;

/// <summary>Writing, cloning what was written, and flushing it.</summary>
public class WriteTests
{
    [Fact]
    public async Task What_was_written_is_read_and_becomes_durable_by_a_flush()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(10 * 4096);
        var bytes = Bytes(3, 2 * 4096);
        file.Write(1000, bytes);
        Assert.Equal(bytes, Read(file, 1000, bytes.Length));
        Assert.Equal(0, cache.Device.Writes);
        await file.FlushAsync();
        Assert.Equal(3, cache.Device.BlocksWritten);
        Assert.Equal(Read(file, 0, 10 * 4096), cache.DurableOf(file));
        var reads = cache.Device.BlocksRead;
        Assert.Equal(bytes, Read(file, 1000, bytes.Length));
        Assert.Equal(reads, cache.Device.BlocksRead);
        Assert.Equal(0, cache.Figures.DirtyBytes);
    }

    [Fact]
    public async Task A_clone_of_a_dirty_file_is_a_point_in_time()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(8 * 4096);
        file.Write(0, Bytes(1, 8 * 4096));
        var before = Read(file, 0, 8 * 4096);
        var clone = cache.Own(file.Clone());
        file.Write(4096, Bytes(2, 100));
        Assert.Equal(before, Read(clone, 0, 8 * 4096));
        clone.Write(3 * 4096 + 5, Bytes(4, 5000));
        var fileBytes = Read(file, 0, 8 * 4096);
        var cloneBytes = Read(clone, 0, 8 * 4096);
        Assert.NotEqual(fileBytes, cloneBytes);
        await cache.Volume.FlushAsync();
        Assert.Equal(fileBytes, cache.DurableOf(file));
        Assert.Equal(cloneBytes, cache.DurableOf(clone));
        Assert.Equal(fileBytes, Read(file, 0, 8 * 4096));
        Assert.Equal(cloneBytes, Read(clone, 0, 8 * 4096));
        // Eight pages, one copied for the file and two for the clone.
        Assert.Equal(11, cache.Device.BlocksWritten);
        Assert.Equal(0, cache.Device.BlocksRead);
    }

    [Fact]
    [Trait("Row", "E2")]
    public async Task Five_hundred_clones_of_a_dirty_file_are_written_once_and_published_once()
    {
        using var cache = new WriteCache(frames: 16_384, deviceLength: 8 << 20);
        var file = cache.OpenNew(1000 * 4096);
        file.Write(0, Bytes(1, 1000 * 4096));
        var clones = Enumerable.Range(0, 500).Select(_ => cache.Own(file.Clone())).ToArray();
        Assert.Equal(0, cache.Device.Reads + cache.Device.Writes);
        await cache.Volume.FlushAsync();
        Assert.Equal(1000, cache.Device.BlocksWritten);
        Assert.All(cache.Engine.Published, published => Assert.Equal(501, published.Owners.Length));
        Assert.Equal(1000, cache.Engine.Published.Sum(published => published.Run.Length / 4096));
        Assert.Equal(0, cache.Figures.DirtyBytes);
        Assert.Equal(1000, cache.Figures.ResidentBytes / 4096);
        var expected = Read(file, 0, 1000 * 4096);
        foreach (var clone in clones)
        {
            Assert.Equal(expected, Read(clone, 0, 1000 * 4096));
        }

        Assert.Equal(0, cache.Device.BlocksRead);
    }

    internal static byte[] Bytes(int seed, int count)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    internal static byte[] Read(MappedFile file, long offset, int count)
    {
        var bytes = new byte[count];
        Array.Resize(ref bytes, file.Read(offset, bytes));
        return bytes;
    }
}
