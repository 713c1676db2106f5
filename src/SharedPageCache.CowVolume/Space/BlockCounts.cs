namespace SharedPageCache.Cow.Space;

/// <summary>
/// A number for each block, in pieces that come into being when the first number of theirs is not zero: how many slots
/// of leaves name the block.
/// </summary>
internal sealed class BlockCounts
{
    private const int PieceBits = 12;
    private const int PieceLength = 1 << PieceBits;

    private readonly int[]?[] _pieces;

    public BlockCounts(long blocks)
    {
        Length = blocks;
        _pieces = new int[]?[(blocks + PieceLength - 1) >> PieceBits];
    }

    public long Length { get; }

    /// <summary>How many blocks have a number above zero.</summary>
    public long NonZero { get; private set; }

    public int this[long block] => _pieces[block >> PieceBits]?[block & (PieceLength - 1)] ?? 0;

    public void Increment(long block)
    {
        var piece = _pieces[block >> PieceBits] ??= new int[PieceLength];
        ref var count = ref piece[block & (PieceLength - 1)];
        NonZero += count == 0 ? 1 : 0;
        count = checked(count + 1);
    }

    /// <summary>Takes one away; returns whether none is left.</summary>
    public bool Decrement(long block)
    {
        if (this[block] == 0)
        {
            throw new InvalidOperationException($"Block {block} has no reference to give back.");
        }

        if (--_pieces[block >> PieceBits]![block & (PieceLength - 1)] > 0)
        {
            return false;
        }

        NonZero--;
        return true;
    }

    /// <summary>The runs of blocks, from a first one on, whose numbers are all zero or all above it.</summary>
    public IEnumerable<Run> Runs(long first, bool zero)
    {
        var start = -1L;
        for (var block = first; block < Length;)
        {
            var skipped = _pieces[block >> PieceBits] is null;
            var matches = (skipped || this[block] == 0) == zero;
            if (matches && start < 0)
            {
                start = block;
            }
            else if (!matches && start >= 0)
            {
                yield return new Run(start, block - start);
                start = -1;
            }

            block = skipped ? Math.Min(Length, ((block >> PieceBits) + 1) << PieceBits) : block + 1;
        }

        if (start >= 0)
        {
            yield return new Run(start, Length - start);
        }
    }
}
