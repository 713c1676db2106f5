namespace SharedPageCache.Eviction;

/// <summary>
/// Chooses how large the window of <see cref="WindowTinyLfuPolicy"/> is: the share under which a miniature of the cache,
/// given a sample of the blocks, has had the most hits lately.
/// </summary>
/// <remarks>
/// A block is in the sample or not by its hash, so a miniature of 1/k of the pages sees 1/k of the blocks with all their
/// uses, and has the hit ratio of the whole cache with that share. Caches of 1,024 frames and more have miniatures of 128
/// pages, smaller ones of an eighth of their frames. Scores fade by a tenth after each round of twice as many references as a
/// miniature has pages; another share is chosen when its score is better by one in a hundred.
/// </remarks>
internal sealed class WindowTuner
{
    private const int MostPages = 128;
    private const int LeastPages = 4;

    /// <summary>Few newcomers among many that are used often; something between; nearly a plain CLOCK.</summary>
    private static readonly double[] Shares = [0.05, 0.3, 0.8];

    private readonly MiniatureCache[] _miniatures;
    private readonly double[] _scores;
    private readonly int _capacity;
    private readonly int _round;
    private readonly ulong _bound;
    private int _chosen;
    private int _seen;

    /// <summary>Makes a tuner that has chosen the smallest window.</summary>
    /// <param name="capacity">How many pages the cache holds.</param>
    /// <param name="sketch">The frequencies.</param>
    public WindowTuner(int capacity, FrequencySketch sketch)
    {
        _capacity = capacity;
        var pages = Math.Clamp(capacity / 8, LeastPages, MostPages);
        _bound = pages >= capacity ? ulong.MaxValue : (ulong)((double)pages / capacity * ulong.MaxValue);
        _round = 2 * pages;
        _miniatures = [.. Shares.Select(share => new MiniatureCache(pages, ShareOf(pages, share), sketch))];
        _scores = new double[Shares.Length];
        Bytes = _miniatures.Sum(static miniature => miniature.Bytes);
    }

    public long Bytes { get; }

    /// <summary>How many frames the window shall have.</summary>
    public int WindowFrames => ShareOf(_capacity, Shares[_chosen]);

    /// <summary>Whether the uses of a block are to be told.</summary>
    public bool Samples(ulong hash) => hash != 0 && hash * 0x9E3779B97F4A7C15 <= _bound;

    /// <summary>A block of the sample was asked for.</summary>
    public void Reference(ulong hash)
    {
        for (var i = 0; i < _miniatures.Length; i++)
        {
            _scores[i] += _miniatures[i].Reference(hash) ? 1 : 0;
        }

        if (++_seen < _round)
        {
            return;
        }

        _seen = 0;
        var current = _scores[_chosen] * 1.01;
        for (var i = 0; i < _scores.Length; i++)
        {
            if (_scores[i] > Math.Max(current, _scores[_chosen]))
            {
                _chosen = i;
            }
        }

        for (var i = 0; i < _scores.Length; i++)
        {
            _scores[i] *= 0.9;
        }
    }

    private static int ShareOf(int pages, double share) => Math.Clamp((int)(pages * share), 1, Math.Max(1, pages - 1));
}
