using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests;

/// <summary>The hooks that change ranges: what they share, what they cost, what they refuse.</summary>
public sealed class RangeTests
{
    private const int Block = 4096;

    [Theory]
    [InlineData(0, 3)]
    [InlineData(3, 0)]
    [InlineData(0, 128)]
    [InlineData(128, 0)]
    [InlineData(5, 5)]
    public async Task A_range_may_be_cloned_over_itself(int from, int to)
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        var content = WriteBack.Bytes(400 * Block, 1);
        await volume.WriteAsync(file, 0, content);
        file.CloneRange(file, from * Block, to * Block, 200 * Block);
        var expected = content.ToArray();
        content.AsSpan(from * Block, 200 * Block).CopyTo(expected.AsSpan(to * Block));
        Assert.Equal(expected, volume.ReadAll(file));
        volume.AssertClean();
    }

    [Fact]
    public async Task A_large_range_that_lies_alike_shares_whole_nodes()
    {
        using var volume = CowVolume.Create(new SectorDevice(1L << 32, Block));
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(20_000 * Block, 1));
        var other = volume.CreateFile("other");
        var before = GC.GetAllocatedBytesForCurrentThread();
        other.CloneRange(file, 0, 0, 16_384L * Block);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4096);
        Assert.Equal(16_384L * Block, other.Length);
        Assert.Equal(volume.ReadAll(file)[..(16_384 * Block)], volume.ReadAll(other));
        volume.AssertClean();
    }

    [Fact]
    public async Task A_hole_of_a_terabyte_costs_nothing_and_a_range_of_it_neither()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        file.SetLength(1L << 40);
        await volume.WriteAsync(file, 1L << 39, WriteBack.Bytes(Block, 1));
        var other = volume.CreateFile("other");
        other.CloneRange(file, 0, 0, 1L << 40);
        Assert.Equal(1L << 40, other.Length);
        Assert.Equal(1L << 39, Assert.Single(other.Extents()).FileOffset);
        file.PunchHole(0, 1L << 40);
        Assert.Empty(file.Extents());
        Assert.Equal(1L << 40, file.Length);
        other.SetLength(1L << 39);
        Assert.Empty(other.Extents());
        volume.AssertClean();
        Assert.Equal(0, volume.GetStatistics().ContentBlocks);
    }

    [Fact]
    public async Task Extents_are_merged_clipped_and_in_order()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        await volume.WriteAsync(file, 0, WriteBack.Bytes(300 * Block, 1));
        var run = Assert.Single(file.Extents());
        Assert.Equal(300 * Block, run.Length);
        Assert.Equal(ExtentFlags.None, run.Flags);
        Assert.Equal(new Extent(100 * Block, 2 * Block, run.PhysicalOffset + (100 * Block)), Assert.Single(file.Extents((100 * Block) + 5, Block)));
        file.PunchHole(127 * Block, 2 * Block);
        Assert.Equal([0L, 129L * Block], file.Extents().Select(extent => extent.FileOffset));
        Assert.Empty(file.Extents(127 * Block, 2 * Block));
        Assert.Empty(file.Extents(1L << 50, 1L << 50));
    }

    [Fact]
    public async Task The_sequence_changes_with_every_change_and_with_nothing_else()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        var seen = new HashSet<long> { file.Sequence };
        await volume.WriteAsync(file, 0, WriteBack.Bytes(4 * Block, 1));
        Assert.True(seen.Add(file.Sequence), "publish");
        file.SetLength(Block);
        Assert.True(seen.Add(file.Sequence), "length");
        file.PunchHole(0, Block);
        Assert.True(seen.Add(file.Sequence), "punch");
        file.CloneRange(file, 0, Block, Block);
        Assert.True(seen.Add(file.Sequence), "range");
        var clone = file.Clone();
        clone.SetLength(7);
        file.Extents();
        await volume.ReclaimAsync();
        Assert.False(seen.Add(file.Sequence), "a clone, a question and a commit change nothing");
    }

    [Fact]
    public void Ranges_that_make_no_sense_are_refused_and_change_nothing()
    {
        using var volume = CowVolume.Create(new SectorDevice(8 << 20, Block));
        using var other = CowVolume.Create(new SectorDevice(8 << 20, Block));
        var file = volume.CreateFile("file");
        file.SetLength(10 * Block);
        var sequence = file.Sequence;
        var gone = file.Clone();
        gone.Dispose();
        gone.Dispose();
        foreach (var (offset, length) in new[]
        {
            (-Block, Block), (0L, 0L), (0, -Block), (1, Block), (0, 100), (1L << 56, Block), (Block, long.MaxValue - Block + 1),
            (long.MinValue, Block), (long.MaxValue - Block + 1, Block),
        })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => file.PunchHole(offset, length));
            Assert.Throws<ArgumentOutOfRangeException>(() => file.CloneRange(file, offset, 0, length));
            Assert.Throws<ArgumentOutOfRangeException>(() => file.CloneRange(file, 0, offset, length));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => file.SetLength(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.SetLength((1L << 56) + 1));
        Assert.Throws<ArgumentException>(() => file.CloneRange(other.CreateFile("file"), 0, 0, Block));
        Assert.Throws<ArgumentException>(() => file.CloneRange(new ExtentList(), 0, 0, Block));
        Assert.Throws<ArgumentException>(() => file.CloneRange(null!, 0, 0, Block));
        Assert.Throws<ObjectDisposedException>(() => file.CloneRange(gone, 0, 0, Block));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Extents(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Extents(0, 0));
        Assert.Equal((10 * Block, sequence), (file.Length, file.Sequence));
        volume.AssertClean();
    }
}
