using SharedPageCache.Tests.Support;
using SharedPageCache.Tests.Writing;

namespace SharedPageCache.Tests.BadInput;

/// <summary>Absurd numbers for everything that writes: the documented exception, and file, device and engine as they were.</summary>
public class WriteArgumentTests
{
    private const int Page = 4096;
    private const int Length = 3 * Page + 100;
    private const long Longest = 1L << 56;

    private static readonly Dictionary<string, Func<WriteCache, MappedFile, long, long, Task>> Members = new()
    {
        ["Write"] = Now((_, file, offset, length) => file.Write(offset, new byte[Math.Max(1, length)])),
        ["WriteAsync"] = (_, file, offset, length) => file.WriteAsync(offset, new byte[Math.Max(1, length)]).AsTask(),
        ["SetLength"] = Now((_, file, offset, _) => file.SetLength(offset)),
        ["SetLengthAsync"] = (_, file, offset, _) => file.SetLengthAsync(offset).AsTask(),
        ["FlushAsync"] = (_, file, offset, length) => file.FlushAsync(offset, length).AsTask(),
        ["TryLeaseForWrite"] = Now((_, file, offset, _) => file.TryLeaseForWrite(offset, out var _)),
        ["LeaseForWriteAsync"] = (_, file, offset, _) => file.LeaseForWriteAsync(offset).AsTask(),
        ["PunchHole"] = Now((_, file, offset, length) => file.PunchHole(offset, length)),
        ["PunchHoleAsync"] = (_, file, offset, length) => file.PunchHoleAsync(offset, length).AsTask(),
        ["ZeroRange"] = Now((_, file, offset, length) => file.ZeroRange(offset, length)),
        ["ZeroRangeAsync"] = (_, file, offset, length) => file.ZeroRangeAsync(offset, length).AsTask(),
        ["WriteAroundAsync"] = (_, file, offset, length) => file.WriteAroundAsync(offset, new byte[length]).AsTask(),
        ["CloneRange (to)"] = Now((cache, file, offset, length) => file.CloneRange(cache.OpenMapped(4), 0, offset, length)),
        ["CloneRange (from)"] = Now((cache, file, offset, length) => file.CloneRange(cache.OpenMapped(4), offset, 0, length)),
        ["CloneRangeAsync (to)"] = (cache, file, offset, length) => file.CloneRangeAsync(cache.OpenMapped(4), 0, offset, length).AsTask(),
        ["Dedupe (to)"] = Now((cache, file, offset, length) => file.Dedupe(cache.OpenMapped(4), 0, offset, length)),
        ["Dedupe (from)"] = Now((cache, file, offset, length) => file.Dedupe(cache.OpenMapped(4), offset, 0, length)),
        ["DedupeAsync (to)"] = (cache, file, offset, length) => file.DedupeAsync(cache.OpenMapped(4), 0, offset, length).AsTask(),
        ["BeginDirectWrite"] = Now((cache, _, offset, length) => cache.Volume.BeginDirectWrite(new BlockRun(offset, length))),
        ["ReportBadBlocks"] = Now((cache, _, offset, length) => cache.Volume.ReportBadBlocks(new BlockRun(offset, length))),
        ["RepairAsync"] = (cache, _, offset, length) => cache.Volume.RepairAsync(new BlockRun(offset, length), new byte[length is > 0 and < 1 << 20 ? length : Page]).AsTask(),
    };

    public static TheoryData<string, long, long> Absurd()
    {
        var data = new TheoryData<string, long, long>();
        foreach (var member in Members.Keys)
        {
            Add(-1, 10);
            Add(long.MinValue, 10);
            if (member is not "FlushAsync" and not "CloneRange (from)" and not "Dedupe (from)" and not "Dedupe (to)" and not "DedupeAsync (to)")
            {
                // Elsewhere a range that lies behind the end is clipped to nothing.
                Add(long.MaxValue, 10);
                Add(Longest + 1, 10);
            }

            switch (member)
            {
                case "Write" or "WriteAsync":
                    Add(Longest - 5, 10);
                    break;
                case "TryLeaseForWrite" or "LeaseForWriteAsync":
                    Add(Length, 1);
                    break;
                case "SetLength" or "SetLengthAsync":
                    break;
                case "WriteAroundAsync":
                    Add(1, Page);
                    Add(0, Page - 1);
                    Add(Page, 2 * Page + 99);
                    Add(3 * Page, Page);
                    Add(long.MaxValue & ~4095, Page);
                    break;
                case "BeginDirectWrite" or "ReportBadBlocks" or "RepairAsync":
                    Add(0, 0);
                    Add(0, -Page);
                    Add(100, Page);
                    Add(Page, 100);
                    Add(long.MaxValue & ~4095, Page);
                    break;
                case "CloneRange (to)" or "CloneRangeAsync (to)":
                    Add(0, -1);
                    Add(Longest - 5, 10);
                    break;
                default:
                    Add(0, -1);
                    Add(0, long.MinValue);
                    break;
            }

            void Add(long offset, long length) => data.Add(member, offset, length);
        }

        return data;
    }

    [Theory]
    [Trait("Contract", "C11")]
    [MemberData(nameof(Absurd))]
    public async Task Absurd_numbers_are_refused_and_nothing_has_changed(string member, long offset, long length)
    {
        using var cache = new WriteCache(frames: 256);
        var file = cache.Own(cache.Volume.OpenFile(cache.Engine.CreateMapped(4), Length));
        file.Write(Page, WriteTests.Bytes(1, 10));
        var before = WriteTests.Read(file, 0, Length);
        var state = StateOf(cache, file);

        await Assert.ThrowsAnyAsync<ArgumentException>(() => Bounded.Within(Members[member](cache, file, offset, length)));

        Assert.Equal(state, StateOf(cache, file));
        Assert.Equal(before, WriteTests.Read(file, 0, 2 * Length));
        await file.FlushAsync();
        Assert.Equal(before, cache.DurableOf(file)[..Length]);
    }

    /// <summary>What is large and still means something: ranges that reach behind the end, or are empty.</summary>
    [Fact]
    public async Task Ranges_across_the_end_are_clipped_and_empty_ones_do_nothing()
    {
        using var cache = new WriteCache(frames: 256);
        var (file, other) = (cache.Own(cache.Volume.OpenFile(cache.Engine.CreateMapped(4), Length)), cache.OpenMapped(4));
        var before = WriteTests.Read(file, 0, Length);
        file.Write(Longest, []);
        file.Write(long.MaxValue & 0, []);
        await file.WriteAsync(7 * Page, ReadOnlyMemory<byte>.Empty);
        file.PunchHole(Longest, 0);
        file.PunchHole(Length + 5, long.MaxValue);
        file.ZeroRange(Longest, 0);
        await file.FlushAsync(long.MaxValue, long.MaxValue);
        await file.FlushAsync(Length - 1, long.MaxValue);
        await file.FlushAsync(0, 0);
        await file.WriteAroundAsync(0, ReadOnlyMemory<byte>.Empty);
        Assert.Equal(0, file.CloneRange(other, long.MaxValue, 0, long.MaxValue));
        Assert.Equal(0, file.Dedupe(other, 0, 1L << 55, long.MaxValue));
        Assert.Equal(0, file.Dedupe(other, long.MaxValue, 0, long.MaxValue));
        Assert.Equal(Length, file.Length);
        Assert.Equal(before, WriteTests.Read(file, 0, 2 * Length));
        Assert.Equal(0, cache.Figures.DirtyBytes);
        Assert.Empty(cache.Engine.Cloned);

        file.PunchHole(2 * Page, long.MaxValue);
        Assert.Equal([.. before[..(2 * Page)], .. new byte[Page + 100]], WriteTests.Read(file, 0, 2 * Length));
        Assert.Equal(Page, file.CloneRange(other, 3 * Page, 3 * Page, long.MaxValue));
        Assert.Equal(4 * Page, file.Length);
        Assert.Equal(WriteTests.Read(other, 3 * Page, Page), WriteTests.Read(file, 3 * Page, 9 * Page));
    }

    [Fact]
    public async Task What_is_no_file_or_a_foreign_one_is_refused()
    {
        using var cache = new WriteCache();
        using var elsewhere = new WriteCache();
        var (file, foreign) = (cache.OpenMapped(2), elsewhere.OpenMapped(2));
        Assert.Throws<ArgumentNullException>(() => file.MergeInto(null!));
        Assert.Throws<ArgumentNullException>(() => file.DiffPages(null!));
        Assert.Throws<ArgumentNullException>(() => file.CloneRange(null!, 0, 0, 1));
        Assert.Throws<ArgumentNullException>(() => file.Dedupe(null!, 0, 0, 1));
        await Assert.ThrowsAsync<ArgumentNullException>(async () => await file.MergeIntoAsync(null!));
        await Assert.ThrowsAsync<ArgumentNullException>(async () => await file.DiffPagesAsync(null!));
        Assert.Throws<ArgumentException>(() => file.MergeInto(foreign));
        Assert.Throws<ArgumentException>(() => file.MergeInto(file));
        Assert.Throws<ArgumentException>(() => file.DiffPages(foreign));
        Assert.Throws<ArgumentException>(() => file.CloneRange(foreign, 0, 0, 1));
        Assert.Throws<ArgumentException>(() => file.Dedupe(foreign, 0, 0, 1));
        await Assert.ThrowsAsync<ArgumentException>(async () => await cache.Volume.RepairAsync(new BlockRun(0, 2 * Page), new byte[Page]));
        Assert.Equal((0, 0L), (cache.Device.Writes, cache.Figures.DirtyBytes));
    }

    private static (long, long, int, int, int, long) StateOf(WriteCache cache, MappedFile file) => (
        file.Length, cache.Figures.DirtyBytes, cache.Device.Writes, cache.Engine.Published.Count, cache.Engine.Cloned.Count, cache.Figures.LeasedFrames);

    private static Func<WriteCache, MappedFile, long, long, Task> Now(Action<WriteCache, MappedFile, long, long> act) => (cache, file, offset, length) =>
    {
        act(cache, file, offset, length);
        return Task.CompletedTask;
    };
}
