using System.Buffers;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests;

/// <summary>The ready-made extent map: finds what it was given, refuses what cannot be, and is enough to read a file.</summary>
public class ExtentListTests
{
    private static readonly Extent[] Three =
        [new(0, 4096, 40960), new(8192, 8192, 0, ExtentFlags.Shared), Extent.Hole(16384, 4096)];

    [Theory]
    [InlineData(0, 1, new[] { 0 })]
    [InlineData(4095, 1, new[] { 0 })]
    [InlineData(4096, 4096, new int[0])]
    [InlineData(4096, 4097, new[] { 1 })]
    [InlineData(0, 8193, new[] { 0, 1 })]
    [InlineData(8192, 8192, new[] { 1 })]
    [InlineData(16383, 2, new[] { 1, 2 })]
    [InlineData(0, long.MaxValue, new[] { 0, 1, 2 })]
    [InlineData(20480, long.MaxValue, new int[0])]
    [InlineData(long.MaxValue, long.MaxValue, new int[0])]
    public async Task It_answers_with_the_extents_that_touch_the_range(long offset, long length, int[] expected)
    {
        var answer = await Ask(new ExtentList(Three), offset, length);
        Assert.Equal(expected.Select(index => Three[index]), answer);
    }

    [Fact]
    public async Task A_search_finds_what_a_scan_finds()
    {
        var random = new Random(11);
        for (var round = 0; round < 200; round++)
        {
            var extents = RandomExtents(random, random.Next(0, 12));
            var list = new ExtentList(extents);
            for (var question = 0; question < 50; question++)
            {
                long offset = random.Next(0, 120);
                long length = random.Next(1, 60);
                var expected = extents.Where(extent => extent.FileOffset < offset + length && extent.FileEnd > offset);
                Assert.Equal(expected, await Ask(list, offset, length));
            }
        }
    }

    [Fact]
    public void It_never_changes()
    {
        Extent[] given = [.. Three];
        var list = new ExtentList(given);
        given[0] = default;
        Assert.Equal(Three, list.Extents.ToArray());
        Assert.Equal((3, 20480L, 0L), (list.Count, list.End, list.Sequence));
        Assert.Same(list, list.Clone());
    }

    [Fact]
    public async Task An_empty_list_is_a_file_of_nothing()
    {
        var list = new ExtentList();
        Assert.Equal((0, 0L), (list.Count, list.End));
        Assert.Empty(await Ask(list, 0, long.MaxValue));
    }

    [Theory]
    [InlineData(-1, 10, 0, "-1")]
    [InlineData(20, 0, 0, "length 0")]
    [InlineData(20, -5, 0, "-5")]
    [InlineData(long.MaxValue, 2, 0, "overflows")]
    [InlineData(9, 10, 0, "end 10")]
    [InlineData(20, 10, -1, "-1")]
    [InlineData(20, 10, long.MaxValue, "overflows")]
    public void Extents_that_cannot_be_are_refused_with_the_numbers(long offset, long length, long physical, string number)
    {
        var error = Assert.Throws<ArgumentException>(() => new ExtentList(new Extent(0, 10, 0), new Extent(offset, length, physical)));
        Assert.Contains("Extent 1 ", error.Message, StringComparison.Ordinal);
        Assert.Contains(number, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_address_of_what_has_none_is_ignored()
    {
        var list = new ExtentList(
            new Extent(0, 10, -7, ExtentFlags.Hole), new Extent(10, 10, -7, ExtentFlags.Unwritten),
            new Extent(20, 10, -7, ExtentFlags.Opaque));
        Assert.Equal(3, list.Count);
    }

    [Fact]
    public async Task Questions_that_make_no_sense_are_refused()
    {
        var list = new ExtentList(Three);
        var writer = new ArrayBufferWriter<Extent>();
        await Assert.ThrowsAsync<ArgumentNullException>(async () => await list.GetExtentsAsync(0, 1, null!, default));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await list.GetExtentsAsync(-1, 1, writer, default));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await list.GetExtentsAsync(0, 0, writer, default));
    }

    [Fact]
    public void Two_lists_and_a_clone_share_their_pages()
    {
        var device = new MemoryDevice(1 << 20).Stamp();
        using var cache = new PageCache(new PageCacheOptions { CapacityBytes = 4 << 20 });
        using var volume = cache.AttachVolume(device);
        using var one = volume.OpenFile(new ExtentList(Three), 20480);
        using var two = volume.OpenFile(new ExtentList(Three), 20480);
        using var clone = two.Clone();
        byte[] expected = [.. device.Copy(40960, 4096), .. new byte[4096], .. device.Copy(0, 8192), .. new byte[4096]];
        foreach (var file in new[] { one, two, clone })
        {
            var bytes = new byte[20480];
            Assert.Equal(bytes.Length, file.Read(0, bytes));
            Assert.Equal(expected, bytes);
        }

        Assert.Equal(3, device.BlocksRead);
        Assert.Equal(2 * 3 * 4096, cache.GetStatistics().SavedBytes);
        cache.Verify();
    }

    private static async Task<Extent[]> Ask(ExtentList list, long offset, long length)
    {
        var writer = new ArrayBufferWriter<Extent>();
        await list.GetExtentsAsync(offset, length, writer, default);
        return writer.WrittenSpan.ToArray();
    }

    private static Extent[] RandomExtents(Random random, int count)
    {
        var extents = new Extent[count];
        var end = 0;
        for (var i = 0; i < count; i++)
        {
            var start = end + random.Next(0, 5);
            end = start + random.Next(1, 10);
            extents[i] = new Extent(start, end - start, random.Next(0, 1000));
        }

        return extents;
    }
}
