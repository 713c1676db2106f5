using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>Clones cost nothing and share everything, until somebody writes.</summary>
public sealed class CloneTests
{
    private const int Block = 4096;

    [Theory]
    [InlineData(1L << 20)]
    [InlineData(1L << 30)]
    [InlineData(1L << 40)]
    public async Task A_clone_allocates_the_same_few_bytes_whatever_the_size(long length)
    {
        using var volume = CowVolume.Create(new SectorDevice(1L << 32, Block));
        var file = volume.CreateFile("file");
        file.SetLength(length);
        for (var i = 0; i < 64; i++)
        {
            await volume.WriteAsync(file, length / 64 / Block * Block * i, WriteBack.Bytes(Block, i));
        }

        using var first = file.Clone();
        var nodes = volume.GetStatistics().NodesCopied;
        var before = GC.GetAllocatedBytesForCurrentThread();
        var clone = file.Clone();
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(allocated, 1, 192);
        Assert.Equal(nodes, volume.GetStatistics().NodesCopied);
        Assert.Equal(file.Extents(), clone.Extents());
        Assert.Equal(64, volume.GetStatistics().ContentBlocks);
        clone.Dispose();
        volume.AssertClean();
    }

    [Fact]
    public async Task A_write_after_a_clone_copies_one_path_and_is_seen_in_one_file()
    {
        using var volume = CowVolume.Create(new SectorDevice(1L << 32, Block));
        var file = volume.CreateFile("file");
        file.SetLength(1L << 40);
        var content = WriteBack.Bytes(300 * Block, 1);
        await volume.WriteAsync(file, 0, content);
        await volume.WriteAsync(file, (1L << 40) - Block, content[..Block]);
        using var clone = file.Clone();
        Assert.All(file.Extents(), extent => Assert.Equal(ExtentFlags.Shared, extent.Flags));
        var nodes = volume.GetStatistics().NodesCopied;
        await volume.WriteAsync(clone, 200 * Block, WriteBack.Bytes(Block, 2));

        // 2^28 blocks of 128 slots a node: levels 3, 2, 1 and the leaf.
        Assert.Equal(4, volume.GetStatistics().NodesCopied - nodes);
        await volume.WriteAsync(clone, 201 * Block, WriteBack.Bytes(Block, 3));
        Assert.Equal(4, volume.GetStatistics().NodesCopied - nodes);
        Assert.Equal(content[(200 * Block)..(202 * Block)], Read(volume, file, 200, 2));
        Assert.Equal([.. WriteBack.Bytes(Block, 2), .. WriteBack.Bytes(Block, 3)], Read(volume, clone, 200, 2));
        Assert.Equal([ExtentFlags.None], clone.Extents(200 * Block, 2 * Block).Select(extent => extent.Flags));
        Assert.Equal([ExtentFlags.Shared], clone.Extents(0, 200 * Block).Select(extent => extent.Flags).Distinct());

        // What the clone has replaced is the origin's alone now, and says so.
        Assert.Equal([ExtentFlags.None], file.Extents(200 * Block, 2 * Block).Select(extent => extent.Flags));
        volume.AssertClean();
    }

    [Fact]
    public async Task Clones_of_clones_stay_what_they_were_in_any_order_of_their_going()
    {
        using var volume = CowVolume.Create(new SectorDevice(64 << 20, Block));
        var content = WriteBack.Bytes(200 * Block, 0);
        var file = volume.CreateFile("generation 0");
        await volume.WriteAsync(file, 0, content);
        var expected = new Dictionary<CowFile, byte[]> { [file] = content };
        for (var i = 1; i <= 12; i++)
        {
            file = file.Clone($"generation {i}");
            content = [.. content];
            var change = WriteBack.Bytes(Block, i);
            change.CopyTo(content, i * 13 * Block);
            await volume.WriteAsync(file, i * 13 * Block, change);
            expected[file] = content;
            if (i % 3 == 0)
            {
                await volume.CommitAsync();
            }
        }

        var random = new Random(5);
        foreach (var gone in expected.Keys.OrderBy(_ => random.Next()).ToList())
        {
            volume.Delete(gone.Name!);
            gone.Dispose();
            expected.Remove(gone);
            Assert.All(expected, pair => Assert.Equal(pair.Value, volume.ReadAll(pair.Key)));
            volume.AssertClean();
        }

        Assert.Equal(0, volume.GetStatistics().ContentBlocks);
    }

    [Fact]
    public async Task Sharing_is_still_sharing_after_reopening()
    {
        var device = new SectorDevice(64 << 20, Block);
        using (var volume = CowVolume.Create(device))
        {
            var file = volume.CreateFile("file");
            await volume.WriteAsync(file, 0, WriteBack.Bytes(1000 * Block, 1));
            for (var i = 0; i < 50; i++)
            {
                await volume.WriteAsync(file.Clone($"clone {i}"), i * Block, WriteBack.Bytes(Block, i));
            }

            await volume.ReclaimAsync();
            Assert.Equal(1050, volume.GetStatistics().ContentBlocks);
        }

        using var again = CowVolume.Open(device);
        Assert.Equal(1050, again.GetStatistics().ContentBlocks);
        Assert.Equal([ExtentFlags.Shared], again.OpenFile("clone 7").Extents(500 * Block, 100 * Block).Select(extent => extent.Flags));
        again.AssertClean();
    }

    private static byte[] Read(CowVolume volume, CowFile file, int block, int count)
    {
        var bytes = new byte[count * Block];
        foreach (var extent in file.Extents((long)block * Block, bytes.Length))
        {
            var part = bytes.AsMemory((int)(extent.FileOffset - ((long)block * Block)), (int)extent.Length);
            volume.BlockDevice.Read(new BlockRun(extent.PhysicalOffset, extent.Length), default, [part]);
        }

        return bytes;
    }
}
