using System.Buffers;

namespace SharedPageCache.Reflink.Tests;

public sealed class ExtentTableTests
{
    private const int Block = 4096;

    [Fact]
    public void Written_extents_are_shared_whatever_the_flag_says_and_neighbours_are_joined()
    {
        var table = From(
            4 * Block,
            new PhysicalExtent(0, Block, 10 * Block, PhysicalExtentFlags.Shared),
            new PhysicalExtent(Block, 3 * Block, 11 * Block, PhysicalExtentFlags.Last));

        Assert.Equal([new Extent(0, 4 * Block, 10 * Block, ExtentFlags.Shared)], table.Extents);
        Assert.Equal([new VolumePiece(10 * Block, 4 * Block, 0)], table.Pieces);
    }

    [Fact]
    public void Gaps_and_unwritten_extents_show_no_blocks()
    {
        var table = From(
            8 * Block,
            new PhysicalExtent(Block, Block, 10 * Block, PhysicalExtentFlags.None),
            new PhysicalExtent(4 * Block, 2 * Block, 20 * Block, PhysicalExtentFlags.Unwritten));

        Assert.Equal([ExtentFlags.Shared, ExtentFlags.Unwritten], table.Extents.Select(static extent => extent.Flags));
        Assert.Single(table.Pieces);
    }

    [Theory]
    [InlineData(PhysicalExtentFlags.Unknown)]
    [InlineData(PhysicalExtentFlags.DelayedAllocation)]
    [InlineData(PhysicalExtentFlags.Encoded)]
    [InlineData(PhysicalExtentFlags.Encrypted)]
    [InlineData(PhysicalExtentFlags.NotAligned)]
    [InlineData(PhysicalExtentFlags.Inline)]
    [InlineData(PhysicalExtentFlags.TailPacked)]
    public void What_has_no_final_address_is_opaque(PhysicalExtentFlags flag)
    {
        var table = From(2 * Block, new PhysicalExtent(0, 2 * Block, 4 * Block, flag | PhysicalExtentFlags.Shared));

        Assert.Equal([new Extent(0, 2 * Block, 0, ExtentFlags.Opaque)], table.Extents);
        Assert.Empty(table.Pieces);
    }

    [Fact]
    public void What_is_not_aligned_is_opaque_and_widened_to_blocks()
    {
        var table = From(3 * Block, new PhysicalExtent(100, Block, 512, PhysicalExtentFlags.None));

        Assert.Equal([new Extent(0, 2 * Block, 0, ExtentFlags.Opaque)], table.Extents);
    }

    [Fact]
    public void Addresses_that_identify_nothing_are_opaque()
    {
        PhysicalExtent[] raw = [new(0, Block, Block, PhysicalExtentFlags.None)];

        Assert.True(ExtentTable.From(raw, Block, Block, addressesCount: false).Extents.Single().IsOpaque);
    }

    [Fact]
    public void The_last_block_of_an_unaligned_file_has_a_generation_of_its_own()
    {
        var table = From(2 * Block + 100, new PhysicalExtent(0, 8 * Block, 10 * Block, PhysicalExtentFlags.Last));

        Assert.Equal(
            [
                new Extent(0, 2 * Block, 10 * Block, ExtentFlags.Shared),
                new Extent(2 * Block, Block, 12 * Block, ExtentFlags.Shared, 100),
            ],
            table.Extents);
    }

    [Fact]
    public void Blocks_past_the_end_of_the_file_are_not_shown()
    {
        var table = From(
            Block,
            new PhysicalExtent(0, Block, 10 * Block, PhysicalExtentFlags.None),
            new PhysicalExtent(Block, 4 * Block, 30 * Block, PhysicalExtentFlags.None));

        Assert.Equal([new Extent(0, Block, 10 * Block, ExtentFlags.Shared)], table.Extents);
    }

    [Fact]
    public void A_block_that_is_shown_twice_is_one_piece()
    {
        var table = From(
            6 * Block,
            new PhysicalExtent(0, 4 * Block, 10 * Block, PhysicalExtentFlags.Shared),
            new PhysicalExtent(4 * Block, 2 * Block, 13 * Block, PhysicalExtentFlags.Shared));

        Assert.Equal(
            [new VolumePiece(10 * Block, 4 * Block, 0), new VolumePiece(14 * Block, Block, 5 * Block)], table.Pieces);
        Assert.True(table.ShowsSomewhere(new BlockRun(11 * Block, 4 * Block)));
        Assert.False(table.ShowsSomewhere(new BlockRun(11 * Block, 5 * Block)));
    }

    [Fact]
    public void It_knows_what_it_shows_where()
    {
        var table = From(
            6 * Block + 1,
            new PhysicalExtent(0, 2 * Block, 10 * Block, PhysicalExtentFlags.None),
            new PhysicalExtent(4 * Block, 3 * Block, 20 * Block, PhysicalExtentFlags.None));

        Assert.True(table.Shows(Block, new BlockRun(11 * Block, Block)));
        Assert.False(table.Shows(0, new BlockRun(11 * Block, Block)));
        Assert.False(table.Shows(Block, new BlockRun(11 * Block, 2 * Block)));
        Assert.True(table.Shows(4 * Block, new BlockRun(20 * Block, 3 * Block)));
        Assert.False(table.Shows(4 * Block, new BlockRun(20 * Block, 4 * Block)));
        Assert.Null(table.FindPiece(12 * Block));
        Assert.Equal(6 * Block, table.FindPiece(22 * Block)?.FileOffset);
    }

    [Fact]
    public void Only_the_extents_of_the_range_are_answered()
    {
        var table = From(
            100 * Block,
            [.. Enumerable.Range(0, 50).Select(i => new PhysicalExtent(2 * i * Block, Block, 1000 * Block + 3 * i * Block, PhysicalExtentFlags.None))]);
        var answer = new ArrayBufferWriter<Extent>();

        table.CopyTo(9 * Block, 4 * Block, answer);

        Assert.Equal([10 * Block, 12 * Block], answer.WrittenSpan.ToArray().Select(static extent => (int)extent.FileOffset));
    }

    private static ExtentTable From(long length, params PhysicalExtent[] raw) => ExtentTable.From(raw, length, Block);
}
