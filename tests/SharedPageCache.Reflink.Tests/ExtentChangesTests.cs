namespace SharedPageCache.Reflink.Tests;

/// <summary>Tables of files that are written, against a plain array with an entry for each block.</summary>
public sealed class ExtentChangesTests
{
    private const int Block = 4096;
    private const int Blocks = 40;

    [Fact]
    public void Replacing_and_renewing_say_for_each_block_what_a_plain_array_says()
    {
        for (var seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            var (table, model) = Make(random);
            for (var step = 0; step < 20; step++)
            {
                var length = random.Next(3) == 0 ? random.Next(Blocks * Block) : table.Length;
                if (random.Next(4) == 0)
                {
                    var (answer, said) = Make(random);
                    var keeps = random.Next(2) == 0;
                    table = table.Renewed(answer, _ => keeps, Block);
                    model = [.. model.Select((old, i) => old == 0 ? 0 : keeps && old >= ExtentTable.FirstStaged ? old : said[i])];
                }
                else
                {
                    var changes = Changes(random);
                    table = table.Replace(changes, length, Block);
                    foreach (var change in changes)
                    {
                        for (var i = 0; i < change.Length / Block; i++)
                        {
                            model[(change.FileOffset / Block) + i] = change.ReadsZero ? 0 : change.PhysicalOffset + (i * Block);
                        }
                    }
                }

                model.AsSpan((int)((table.Length + Block - 1) / Block)).Clear();
                AssertSame(model, table, seed);
            }
        }
    }

    [Fact]
    public void Subtracting_says_for_each_address_what_sets_say()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var (left, right) = (Pieces(random), Pieces(random));

            var rest = VolumePiece.Subtract(left, right);

            Assert.Equal(Addresses(left).Except(Addresses(right)).Order(), Addresses(rest));
            Assert.All(rest, piece => Assert.Equal(piece.PhysicalOffset + 1000, piece.FileOffset));
        }

        static List<VolumePiece> Pieces(Random random)
        {
            var pieces = new List<VolumePiece>();
            for (var at = random.Next(3); at < 60;)
            {
                var length = random.Next(1, 8);
                pieces.Add(new VolumePiece(at, length, at + 1000));
                at += length + random.Next(4);
            }

            return pieces;
        }

        static IEnumerable<long> Addresses(List<VolumePiece> pieces) =>
            pieces.SelectMany(static piece => Enumerable.Range(0, (int)piece.Length).Select(i => piece.PhysicalOffset + i));
    }

    [Theory]
    [InlineData(5000, 4096, false)]
    [InlineData(5000, 8192, true)]
    [InlineData(8192, 4096, false)]
    [InlineData(8192, 8192, true)]
    [InlineData(8193, 8192, false)]
    [InlineData(8193, 12288, true)]
    public void A_cut_takes_whole_pages_only(int length, int offset, bool takes)
    {
        Assert.Equal(takes, ShapeChange.Cut(length).TakesFrom(offset, 4096, 4096));
        Assert.False(ShapeChange.Grow(length).TakesFrom(offset, 4096, 4096));
        Assert.Equal(offset == 4096, ShapeChange.Punch(4096, 4096).TakesFrom(offset, 4096, 4096));
    }

    private static (ExtentTable Table, long[] Model) Make(Random random)
    {
        var length = random.Next(1, Blocks * Block);
        var table = ExtentTable.From([], 0, Block).Replace(Changes(random), length, Block);
        var model = new long[Blocks + 1];
        foreach (var extent in table.Extents)
        {
            for (var i = 0; i < extent.Length / Block; i++)
            {
                model[(extent.FileOffset / Block) + i] = extent.PhysicalOffset + (i * Block);
            }
        }

        AssertSame(model, table, seed: -1);
        return (table, model);
    }

    private static List<Extent> Changes(Random random)
    {
        var changes = new List<Extent>();
        for (var at = random.Next(6); at < Blocks - 1;)
        {
            var count = random.Next(1, Math.Min(8, Blocks - at));
            var address = (long)random.Next(1, 1000) * Block;
            changes.Add(random.Next(4) == 0
                ? Extent.Hole(at * Block, count * Block)
                : random.Next(3) == 0
                    ? new Extent(at * Block, count * Block, ExtentTable.FirstStaged + address, ExtentFlags.None, 3)
                    : new Extent(at * Block, count * Block, address, ExtentFlags.Shared));
            at += count + random.Next(8);
        }

        return changes;
    }

    private static void AssertSame(long[] model, ExtentTable table, int seed)
    {
        var actual = new long[model.Length];
        long covered = 0;
        foreach (var extent in table.Extents)
        {
            Assert.True(extent.Length > 0 && extent.FileOffset >= covered, $"seed {seed}: {extent} overlaps or is empty");
            covered = extent.FileEnd;
            var isTail = extent.FileEnd >= table.Length && table.Length % Block != 0 && !ExtentTable.IsStaged(extent);
            Assert.Equal(ExtentTable.IsStaged(extent) ? 3 : isTail && extent.Length == Block ? table.Length % Block : 0, extent.Generation);
            for (var i = 0; i < extent.Length / Block; i++)
            {
                actual[(extent.FileOffset / Block) + i] = extent.PhysicalOffset + (i * Block);
            }
        }

        Assert.True(actual.AsSpan().SequenceEqual(model), $"seed {seed}: {string.Join(' ', actual)} and not {string.Join(' ', model)}");
        Assert.Equal(
            actual.Where(static address => address is > 0 and < ExtentTable.FirstStaged).Distinct().Order(),
            table.Pieces.SelectMany(static piece => Enumerable.Range(0, (int)(piece.Length / Block)).Select(i => piece.PhysicalOffset + (i * Block))));
    }
}
