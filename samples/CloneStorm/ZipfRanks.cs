namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// Draws numbers by Zipf's law: the number of rank r comes with a probability in proportion to 1 / r^s. Which number
/// has which rank is shuffled.
/// </summary>
internal sealed class ZipfRanks
{
    private readonly double[] _sums; // running sums of the weights, by rank
    private readonly int[] _numbers; // the number of each rank

    /// <summary>Makes the ranks.</summary>
    /// <param name="count">Numbers from 0 up to this are drawn.</param>
    /// <param name="exponent">The s of the law.</param>
    /// <param name="random">Shuffles the ranks.</param>
    public ZipfRanks(int count, double exponent, Random random)
    {
        _numbers = [.. Enumerable.Range(0, count)];
        random.Shuffle(_numbers);

        _sums = new double[count];
        double sum = 0;
        for (int rank = 0; rank < count; rank++)
            _sums[rank] = sum += Math.Pow(rank + 1, -exponent);
    }

    /// <summary>Draws a number.</summary>
    /// <param name="random">The source of chance.</param>
    public int Draw(Random random)
    {
        int found = Array.BinarySearch(_sums, random.NextDouble() * _sums[^1]);
        return _numbers[Math.Min(found < 0 ? ~found : found, _numbers.Length - 1)];
    }
}
