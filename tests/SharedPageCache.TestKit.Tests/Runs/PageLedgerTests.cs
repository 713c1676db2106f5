namespace SharedPageCache.TestKit.Tests.Runs;

/// <summary>What a killed process has left is held against what it has told.</summary>
public sealed class PageLedgerTests
{
    [Fact]
    public void Only_the_promised_version_or_a_newer_one_that_was_written_is_right()
    {
        Assert.Null(Ledger().FaultOf(1, 5, Page(1, 5, 3)));
        Assert.Null(Ledger().FaultOf(1, 5, Page(1, 5, 4)));
        Assert.Contains("version 3 was durable", Ledger().FaultOf(1, 5, Page(1, 5, 2)), StringComparison.Ordinal);
        Assert.Contains("nobody wrote", Ledger().FaultOf(1, 5, Page(1, 5, 7)), StringComparison.Ordinal);
        Assert.Contains("is zero", Ledger().FaultOf(1, 5, new byte[64]), StringComparison.Ordinal);
        Assert.Contains("is zero", Ledger().FaultOf(1, 5, []), StringComparison.Ordinal);
        Assert.NotNull(Ledger().FaultOf(1, 5, Page(1, 6, 3)));
        Assert.NotNull(Ledger().FaultOf(1, 5, Page(2, 5, 3)));
        byte[] torn = [.. Page(1, 5, 3)[..32], .. Page(1, 5, 4)[32..]];
        Assert.Contains("torn", Ledger().FaultOf(1, 5, torn), StringComparison.Ordinal);

        // Written and never promised.
        Assert.Null(Ledger().FaultOf(1, 6, new byte[64]));
        Assert.Null(Ledger().FaultOf(1, 6, Page(1, 6, 4)));
    }

    [Fact]
    public void What_was_found_must_be_found_again()
    {
        var ledger = Ledger();
        Assert.Null(ledger.FaultOf(1, 5, Page(1, 5, 4)));
        Assert.NotNull(ledger.FaultOf(1, 5, Page(1, 5, 3)));
        Assert.Null(ledger.FaultOf(1, 6, new byte[64]));
        Assert.NotNull(ledger.FaultOf(1, 6, Page(1, 6, 4)));
    }

    [Fact]
    public void Lines_of_others_are_left_to_them()
    {
        var ledger = new PageLedger();
        Assert.False(ledger.TryRead("opened"));
        Assert.False(ledger.TryRead("clone 1 2"));
        Assert.Equal("w 1 5:2 6:3", PageLedger.WritingLine(1, [(5, 2), (6, 3)]));
    }

    private static PageLedger Ledger()
    {
        var ledger = new PageLedger();
        Assert.True(ledger.TryRead(PageLedger.WritingLine(1, [(5, 2)])));
        Assert.True(ledger.TryRead(PageLedger.WritingLine(1, [(5, 3)])));
        Assert.True(ledger.TryRead(PageLedger.DurableLine(1)));
        Assert.True(ledger.TryRead(PageLedger.WritingLine(1, [(5, 4), (6, 4)])));
        Assert.Equal((1, 4, 3), (ledger.Promises, ledger.NewestOf(1, 5), ledger.PromisedOf(1, 5)));
        return ledger;
    }

    private static byte[] Page(int lineage, int page, int version) => new PageTag(0, lineage, page, version).ToBytes(64);
}
