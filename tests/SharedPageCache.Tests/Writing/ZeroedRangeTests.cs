using SharedPageCache.Tests.Support;
using static SharedPageCache.Tests.Writing.WriteTests;

namespace SharedPageCache.Tests.Writing;

/// <summary>Holes and zeroed ranges, and what happens to the file's end meanwhile.</summary>
public class ZeroedRangeTests
{
    private const int Page = 4096;

    public static TheoryData<long, long> Ranges => new()
    {
        { 0, 0 }, { 0, 1 }, { 100, 50 }, { 100, Page }, { Page - 1, 2 }, { 0, Page }, { Page, 2 * Page }, { 100, (2 * Page) + 50 },
        { (3 * Page) + 10, 100 }, { 3 * Page, 904 }, { 2 * Page, long.MaxValue - (2 * Page) }, { 13_191, 1 }, { 13_192, 1 }, { 20_000, 5000 },
        { 0, 20_000 }, { 13_000, 10_000 },
    };

    [Theory]
    [Trait("Row", "F3")]
    [MemberData(nameof(Ranges))]
    public async Task A_hole_keeps_the_length_and_a_zeroed_range_makes_the_file_reach_its_end(long offset, long length)
    {
        using var cache = new WriteCache();
        foreach (var grows in new[] { false, true })
        {
            if (grows && length > 1L << 50)
            {
                continue;
            }

            foreach (var blocking in new[] { false, true })
            {
                var file = cache.OpenNew(0);
                file.Write(0, Bytes(1, 13_192));
                await file.FlushAsync();
                var expected = Bytes(1, 13_192);
                if (grows && length > 0)
                {
                    Array.Resize(ref expected, (int)Math.Max(13_192, offset + length));
                }

                var start = (int)Math.Min(offset, expected.Length);
                expected.AsSpan(start, (int)Math.Min(length, expected.Length - start)).Clear();
                if (blocking)
                {
                    (grows ? (Action<long, long>)file.ZeroRange : file.PunchHole)(offset, length);
                }
                else
                {
                    await (grows ? file.ZeroRangeAsync(offset, length) : file.PunchHoleAsync(offset, length));
                }

                Assert.Equal(expected.Length, file.Length);
                Assert.Equal(expected, Read(file, 0, 30_000));
                await file.FlushAsync();
                Assert.Equal(expected, cache.DurableOf(file));
            }
        }
    }

    [Fact]
    [Trait("Row", "F3")]
    public async Task A_hole_that_waits_for_its_turn_takes_nothing_of_what_is_written_behind_the_old_end_meanwhile()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(0);
        file.Write(0, Bytes(1, 5000));
        file.Mapping.Writing.LengthTurn.Take();
        var punch = file.PunchHoleAsync(Page, 5000 - Page).AsTask();
        Resize(file, 2 * Page);
        file.Write(5000, Bytes(2, (2 * Page) - 5000));
        file.Mapping.Writing.LengthTurn.Give();
        await punch.Within();
        Assert.Equal([.. Bytes(1, Page), .. new byte[5000 - Page], .. Bytes(2, (2 * Page) - 5000)], Read(file, 0, 3 * Page));
    }

    [Fact]
    [Trait("Row", "F3")]
    public async Task A_hole_that_waits_for_its_turn_does_not_make_a_file_longer_that_is_cut_meanwhile()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(0);
        file.Write(0, Bytes(1, 10_000));
        file.Mapping.Writing.LengthTurn.Take();
        var punch = file.PunchHoleAsync(100, 8500).AsTask();
        Resize(file, 50);
        file.Mapping.Writing.LengthTurn.Give();
        await punch.Within();
        Assert.Equal(Bytes(1, 50), Read(file, 0, 10_000));
        Assert.Equal(50, file.Length);
    }

    [Fact]
    [Trait("Row", "F3")]
    public async Task The_ends_of_a_hole_are_written_without_the_turn_and_never_behind_the_end()
    {
        using var cache = new WriteCache();
        var file = cache.OpenNew(0);
        file.Write(0, Bytes(1, 4 * Page));
        using var lease = await file.LeaseForWriteAsync(2 * Page);
        var punch = file.PunchHoleAsync(Page, Page + 100).AsTask();

        // The end waits for the lease; who has it cuts the file.
        await file.SetLengthAsync(100).AsTask().Within();
        lease.Dispose();
        await punch.Within();
        Assert.Equal(100, file.Length);
        Assert.Equal(Bytes(1, 100), Read(file, 0, Page));
    }

    [Theory]
    [Trait("Contract", "C11")]
    [InlineData(-1, 1)]
    [InlineData(long.MinValue, 1)]
    [InlineData(0, -1)]
    [InlineData(0, long.MinValue)]
    [InlineData(long.MaxValue, 1)]
    [InlineData((1L << 56) + 1, 0)]
    public async Task Absurd_numbers_are_refused(long offset, long length)
    {
        using var cache = new WriteCache();
        var file = cache.OpenMapped(2);
        var before = Read(file, 0, 2 * Page);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.PunchHole(offset, length));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ZeroRange(offset, length));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ZeroRange(1L << 56, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.ZeroRange(1, long.MaxValue));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.PunchHoleAsync(offset, length));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await file.ZeroRangeAsync(offset, length));
        Assert.Equal(before, Read(file, 0, 3 * Page));
        Assert.Equal(0, cache.Figures.DirtyBytes);
    }

    /// <summary>What the holder of the turn does.</summary>
    private static void Resize(MappedFile file, long length)
    {
        file.Mapping.EnterAlone();
        file.Mapping.Volume.Binding.Enter();
        file.Mapping.RunHook(engine => engine.SetLength(length), nameof(IWritableExtentMap.SetLength));
        file.Mapping.Reshape(length, []);
        file.Mapping.Volume.Binding.Exit();
        file.Mapping.LeaveAlone();
    }
}
