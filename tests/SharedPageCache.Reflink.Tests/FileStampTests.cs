namespace SharedPageCache.Reflink.Tests;

public sealed class FileStampTests
{
    private static readonly FileStamp Stamp = new(100, new FileTime(10, 1), new FileTime(20, 2), 1);

    [Fact]
    public void An_equal_stamp_is_no_change() => Assert.Equal(ReflinkChanges.None, Changes(Stamp));

    [Fact]
    public void Size_and_times_count()
    {
        Assert.Equal(ReflinkChanges.Size, Changes(Stamp with { Size = 101 }));
        Assert.Equal(ReflinkChanges.ModificationTime, Changes(Stamp with { ModificationTime = new FileTime(10, 2) }));
        Assert.Equal(ReflinkChanges.ChangeTime, Changes(Stamp with { ChangeTime = new FileTime(20, 3) }));
    }

    [Fact]
    public void A_link_more_or_less_explains_the_change_time_but_no_other()
    {
        var linked = Stamp with { ChangeTime = new FileTime(21, 0), LinkCount = 2 };

        Assert.Equal(ReflinkChanges.None, Changes(linked));
        Assert.Equal(ReflinkChanges.Size, Changes(linked with { Size = 1 }));
    }

    [Fact]
    public void The_lenient_check_looks_past_the_change_time()
    {
        var later = Stamp with { ChangeTime = new FileTime(21, 0) };

        Assert.Equal(ReflinkChanges.None, Stamp.ChangesTo(later, ReflinkChangeCheck.ModificationTime));
    }

    [Fact]
    public void A_change_is_described_with_both_values()
    {
        var text = Stamp.DescribeChangesTo(Stamp with { Size = 7, ModificationTime = new FileTime(-1, 0) });

        Assert.Equal("size 100 -> 7 bytes, modification time 1970-01-01 00:00:10.000000001 -> -1.000000000", text);
    }

    private static ReflinkChanges Changes(FileStamp later) => Stamp.ChangesTo(later, ReflinkChangeCheck.ChangeTime);
}
