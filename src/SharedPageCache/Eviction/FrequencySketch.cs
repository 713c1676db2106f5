namespace SharedPageCache.Eviction;

/// <summary>
/// Estimates how often blocks were asked for lately, blocks that are not cached included: a count-min sketch of 4-bit
/// counters that forgets by halving (G. Einziger, R. Friedman, B. Manes, "TinyLFU: A Highly Efficient Cache Admission
/// Policy", ACM ToS 2017; counters of one block side by side as in F. Putze, P. Sanders, J. Singler, "Cache-, Hash-
/// and Space-Efficient Bloom Filters", 2007).
/// </summary>
/// <remarks>
/// <code>
///   block: 48 bytes, for 9 pages of capacity
///   row 0: 32 counters | row 1: 32 counters | row 2: 32 counters
///
///   a hash names a block and one counter in each row; the smallest of the three is the estimate
/// </code>
/// <para>
/// <b>Halving.</b> All counters are halved together, when 20 times the capacity has been counted: pages that were asked for
/// equally often stay equal, which keeps a loop from throwing its own pages out. (Halving a block after the other, as the
/// counts come, costs half a point of hit ratio.) So that nobody waits for it a block is halved when it is next looked at:
/// each knows up to which halving it has come.
/// </para>
/// <para>Not thread-safe: the policy is under the reclaimer's lock. Costs 5.4 bytes a page of capacity. Three times that gains half a point of hit ratio.</para>
/// </remarks>
internal sealed class FrequencySketch
{
    /// <summary>What a counter can hold.</summary>
    public const int Most = 15;

    private const int PagesInBlock = 9;
    private const int WordsInBlock = 6;
    private const int Rows = 3;
    private const int CountersInWord = 16;

    /// <summary>How many times the capacity is counted until all is halved.</summary>
    private const int Memory = 20;

    /// <summary>What a word keeps when each of its counters is shifted right by the index.</summary>
    private static readonly ulong[] Kept = [ulong.MaxValue, 0x7777777777777777, 0x3333333333333333, 0x1111111111111111, 0];

    private readonly ulong[] _words;
    private readonly byte[] _halved;
    private readonly long _most;
    private long _counted;
    private byte _halvings;

    /// <summary>Makes an empty sketch.</summary>
    /// <param name="capacity">How many pages the cache holds.</param>
    public FrequencySketch(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        var blocks = (capacity + PagesInBlock - 1) / PagesInBlock;
        _words = new ulong[blocks * WordsInBlock];
        _halved = new byte[blocks];
        _most = (long)capacity * Memory;
    }

    public long Bytes => _words.LongLength * sizeof(ulong) + _halved.LongLength;

    /// <summary>How often a block was counted lately, at most <see cref="Most"/>; 0 for no block.</summary>
    public int Estimate(ulong hash)
    {
        if (hash == 0)
        {
            return 0;
        }

        var block = BlockOf(hash);
        var least = Most;
        for (var row = 0; row < Rows; row++)
        {
            var (word, shift) = CounterOf(hash, block, row);
            least = Math.Min(least, (int)(_words[word] >> shift) & Most);
        }

        return least;
    }

    /// <summary>Counts uses of a block; nothing for no block.</summary>
    public void Add(ulong hash, int times)
    {
        if (hash == 0)
        {
            return;
        }

        var block = BlockOf(hash);
        for (var row = 0; row < Rows; row++)
        {
            var (word, shift) = CounterOf(hash, block, row);
            var count = (int)(_words[word] >> shift) & Most;
            _words[word] += (ulong)(Math.Min(Most, count + times) - count) << shift;
        }

        _counted += times;
        if (_counted >= _most)
        {
            _counted /= 2;
            _halvings++;
        }
    }

    private static (int Word, int Shift) CounterOf(ulong hash, int block, int row)
    {
        var counter = (int)(hash >> row * 5) & 31;
        return (block * WordsInBlock + row * 2 + counter / CountersInWord, counter % CountersInWord * 4);
    }

    /// <summary>Finds the block of a hash and brings it up to date.</summary>
    private int BlockOf(ulong hash)
    {
        var block = (int)(((hash >> 32) * (ulong)_halved.Length) >> 32);
        var behind = (byte)(_halvings - _halved[block]);
        if (behind != 0)
        {
            _halved[block] = _halvings;
            var shift = Math.Min(behind, Kept.Length - 1);
            foreach (ref var word in _words.AsSpan(block * WordsInBlock, WordsInBlock))
            {
                word = word >> shift & Kept[shift];
            }
        }

        return block;
    }
}
