using System.Globalization;

namespace SharedPageCache.Reflink.Tests;

public sealed class RunLedgerTests
{
    private readonly RunLedger<string> _ledger = new();

    [Fact]
    public void A_range_is_counted_for_each_owner_and_keeps_its_first_witness()
    {
        _ledger.Add(0, 100, "a");
        _ledger.Add(50, 150, "b");

        Assert.Equal("[0,50)x1 a [50,100)x2 a [100,150)x1 b", Show());
    }

    [Fact]
    public void Who_leaves_is_no_witness_any_more()
    {
        _ledger.Add(0, 100, "a");
        _ledger.Add(50, 150, "b");

        Assert.Equal([(0L, 50L)], Remove(0, 100, "a"));
        Assert.Equal("[50,100)x1 - [100,150)x1 b", Show());
        _ledger.SetWitness(50, 100, "b");
        Assert.Equal("[50,150)x1 b", Show());
    }

    [Fact]
    public void Equal_neighbours_become_one_segment_again()
    {
        _ledger.Add(0, 300, "a");
        _ledger.Add(100, 200, "b");
        Assert.Equal(3, _ledger.ToList().Count);

        Assert.Empty(Remove(100, 200, "b"));
        Assert.Equal("[0,300)x1 a", Show());
    }

    [Fact]
    public void Overlaps_are_clipped()
    {
        _ledger.Add(0, 100, "a");
        _ledger.Add(200, 300, "b");
        var found = new List<RunLedger<string>.Segment>();

        _ledger.FindOverlaps(90, 210, found);

        Assert.Equal([new(90, 100, 1, "a"), new(200, 210, 1, "b")], found);
    }

    [Fact]
    public void What_was_not_counted_cannot_be_removed_and_nothing_changes()
    {
        _ledger.Add(0, 100, "a");

        Assert.Throws<InvalidOperationException>(() => Remove(50, 150, "a"));
        Assert.Throws<ArgumentOutOfRangeException>(() => Remove(50, 50, "a"));
        Assert.Equal("[0,100)x1 a", Show());
    }

    /// <summary>Random files of random runs come and go; an array of counters is the truth.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void It_agrees_with_plain_counters(int seed)
    {
        const int size = 400;
        var random = new Random(seed);
        var counts = new int[size];
        var owned = new List<(int Start, int End, string Owner)>();
        for (var step = 0; step < 3000; step++)
        {
            if (owned.Count == 0 || random.Next(100) < 52)
            {
                var start = random.Next(size - 1);
                var run = (start, random.Next(start + 1, Math.Min(size, start + 60) + 1), step.ToString(CultureInfo.InvariantCulture));
                owned.Add(run);
                _ledger.Add(run.start, run.Item2, run.Item3);
                Count(counts, run.start, run.Item2, 1);
            }
            else
            {
                var index = random.Next(owned.Count);
                var (start, end, owner) = owned[index];
                owned.RemoveAt(index);
                Count(counts, start, end, -1);
                var expected = Enumerable.Range(start, end - start).Where(at => counts[at] == 0).Select(static at => (long)at);
                var freed = Remove(start, end, owner);
                Assert.Equal(expected, freed.SelectMany(static run => Enumerable.Range((int)run.Start, (int)(run.End - run.Start))).Select(static at => (long)at));
            }

            _ledger.Verify();
            AssertSame(counts, owned);
        }
    }

    private static void Count(int[] counts, int start, int end, int change)
    {
        for (var at = start; at < end; at++)
        {
            counts[at] += change;
        }
    }

    private void AssertSame(int[] counts, List<(int Start, int End, string Owner)> owned)
    {
        var seen = new int[counts.Length];
        foreach (var segment in _ledger.ToList())
        {
            Count(seen, (int)segment.Start, (int)segment.End, segment.Count);
            if (segment.Witness is { } witness)
            {
                var run = owned.Single(run => run.Owner == witness);
                Assert.True(run.Start <= segment.Start && segment.End <= run.End, "a witness shows what it vouches for");
            }
        }

        Assert.Equal(counts, seen);
    }

    private List<(long Start, long End)> Remove(long start, long end, string owner)
    {
        var freed = new List<RunLedger<string>.Segment>();
        _ledger.Remove(start, end, owner, freed);
        return [.. freed.Select(static segment => (segment.Start, segment.End))];
    }

    private string Show() =>
        string.Join(' ', _ledger.ToList().Select(static s => $"[{s.Start},{s.End})x{s.Count} {s.Witness ?? "-"}"));
}
