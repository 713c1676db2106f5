namespace SharedPageCache.TestKit.Tests.Words;

/// <summary>One look at a page tells what is wrong with it.</summary>
public sealed class PageTagTests
{
    private static readonly PageTag Tag = new(3, 77, 1234, 56789);

    [Fact]
    public void A_tag_is_read_from_its_words()
    {
        var bytes = Tag.ToBytes(4096);
        Assert.Equal(Tag, PageTag.Of(bytes));
        Assert.Equal(Tag, PageTag.Of(bytes.AsSpan(800)));
        Assert.Null(Tag.FaultOf(bytes));
        Assert.Null(Tag.FaultOf(bytes.AsSpan(512, 99), 512));
        var (most, least) = (new PageTag(15, 2047, 65_535, (1 << 20) - 1), new PageTag(0, 0, 0, 1));
        Assert.Equal((most, least), (PageTag.Of(most.ToBytes(8)), PageTag.Of(least.ToBytes(8))));
    }

    [Theory]
    [InlineData(16, 1, 1, 1)]
    [InlineData(1, 2048, 1, 1)]
    [InlineData(1, 1, 65_536, 1)]
    [InlineData(1, 1, 1, 1 << 20)]
    [InlineData(1, 1, 1, 0)]
    [InlineData(-1, 1, 1, 1)]
    public void What_has_no_room_is_refused(int domain, int lineage, int page, int version) =>
        Assert.Throws<InvalidOperationException>(() => new PageTag(domain, lineage, page, version).Serial);

    [Fact]
    public void A_fault_says_what_it_is()
    {
        Assert.Contains("old", Fault(Tag with { Version = 5 }), StringComparison.Ordinal);
        Assert.Contains("newer", Fault(Tag with { Version = 99_999 }), StringComparison.Ordinal);
        Assert.Contains("wrong page", Fault(Tag with { Page = 5 }), StringComparison.Ordinal);
        Assert.Contains("wrong page", Fault(Tag with { Lineage = 5 }), StringComparison.Ordinal);
        Assert.Contains("foreign domain", Fault(Tag with { Domain = 5 }), StringComparison.Ordinal);

        var torn = Tag.ToBytes(1024);
        (Tag with { Version = 5 }).Fill(torn.AsSpan(512), 512);
        Assert.Contains("word 64", Tag.FaultOf(torn), StringComparison.Ordinal);
        Assert.Contains("torn", Tag.FaultOf(torn), StringComparison.Ordinal);

        Assert.Contains("zero", Tag.FaultOf(new byte[64]), StringComparison.Ordinal);
        var shifted = Tag.ToBytes(1024);
        Tag.Fill(shifted, 8);
        Assert.Contains("no word of a test, or of another place", Tag.FaultOf(shifted), StringComparison.Ordinal);
        Array.Fill(shifted, (byte)0xEE);
        Assert.NotNull(Tag.FaultOf(shifted));
        var odd = Tag.ToBytes(13);
        odd[12] ^= 1;
        Assert.Contains("last 5 bytes", Tag.FaultOf(odd), StringComparison.Ordinal);
    }

    [Fact]
    public void Words_are_filled_and_matched_from_any_byte_on()
    {
        var whole = Tag.ToBytes(200);
        for (var start = 0; start < 40; start++)
        {
            for (var length = 0; length < 40; length++)
            {
                var part = new byte[length];
                Word.Fill(part, Tag.Serial, start);
                Assert.Equal(whole[start..(start + length)], part);
                Assert.True(Word.Matches(part, Tag.Serial, start));
                for (var i = 0; i < length; i++)
                {
                    part[i] ^= 0x10;
                    Assert.False(Word.Matches(part, Tag.Serial, start));
                    part[i] ^= 0x10;
                }
            }
        }
    }

    private static string Fault(PageTag other) => Tag.FaultOf(other.ToBytes(512))!;
}
