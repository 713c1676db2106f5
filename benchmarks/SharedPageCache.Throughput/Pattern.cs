namespace SharedPageCache.Throughput;

/// <summary>Which pages are read, in which order, and which of the accesses write: made before the clock runs.</summary>
internal sealed class Pattern
{
    private const int Places = 1 << 18;
    private const double Skew = 0.99;

    private readonly long[] _offsets = new long[Places];
    private readonly bool[] _isWrite = new bool[Places];

    private Pattern(Func<Random, long> page, double writes)
    {
        var random = new Random(23);
        for (var i = 0; i < Places; i++)
        {
            _offsets[i] = page(random) << 12;
            _isWrite[i] = random.NextDouble() < writes;
        }
    }

    /// <summary>Every page as often as every other.</summary>
    /// <param name="bytes">The range.</param>
    /// <param name="writes">The part of the accesses that write.</param>
    public static Pattern Uniform(long bytes, double writes = 0) => new(random => random.NextInt64(bytes >> 12), writes);

    /// <summary>By Zipf's law with an exponent of 0.99; which page has which rank is shuffled.</summary>
    public static Pattern Zipf(long bytes, double writes = 0)
    {
        var pages = new int[(int)(bytes >> 12)];
        var sums = new double[pages.Length];
        double sum = 0;
        for (var i = 0; i < pages.Length; i++)
        {
            pages[i] = i;
            sums[i] = sum += Math.Pow(i + 1, -Skew);
        }

        new Random(29).Shuffle(pages);
        return new Pattern(
            random =>
            {
                var found = Array.BinarySearch(sums, random.NextDouble() * sum);
                return pages[Math.Min(found < 0 ? ~found : found, pages.Length - 1)];
            },
            writes);
    }

    /// <summary>One page, by everybody.</summary>
    public static Pattern OnePage() => new(static _ => 1, 0);

    /// <summary>A part of the order that is another one for each batch and each thread.</summary>
    public Range Part(int batch, int thread, int count)
    {
        var start = (int)((uint)((batch * 64) + thread) * (uint)count % (uint)(Places - count));
        return start..(start + count);
    }

    public ReadOnlySpan<long> Offsets(Range part) => _offsets.AsSpan(part);

    public ReadOnlySpan<bool> Writes(Range part) => _isWrite.AsSpan(part);
}
