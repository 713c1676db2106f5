using SharedPageCache.Eviction;

namespace SharedPageCache.Tests.Eviction;

/// <summary>Frequencies: never too small within a memory span, seldom too large, and halved together.</summary>
public class FrequencySketchTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(1000)]
    public void An_estimate_is_never_too_small_and_seldom_too_large(int capacity)
    {
        var sketch = new FrequencySketch(capacity);
        var random = new Random(5);
        var counts = new Dictionary<ulong, int>();
        for (var i = 0; i < capacity * 5; i++)
        {
            var hash = SmallCache.HashOf(random.Next(capacity * 2));
            sketch.Add(hash, 1);
            counts[hash] = counts.GetValueOrDefault(hash) + 1;
        }

        Assert.All(counts, pair => Assert.True(sketch.Estimate(pair.Key) >= Math.Min(FrequencySketch.Most, pair.Value)));
        if (capacity == 1000)
        {
            Assert.InRange(counts.Count(pair => sketch.Estimate(pair.Key) == Math.Min(FrequencySketch.Most, pair.Value)), counts.Count * 8 / 10, counts.Count);
        }
    }

    [Fact]
    public void A_counter_saturates_and_many_times_are_one_step()
    {
        var sketch = new FrequencySketch(100);
        sketch.Add(77, 3);
        Assert.Equal(3, sketch.Estimate(77));
        sketch.Add(77, 100);
        Assert.Equal(15, sketch.Estimate(77));
    }

    [Fact]
    public void All_counters_are_halved_at_once_also_those_that_nobody_looks_at()
    {
        const int Capacity = 64;
        var sketch = new FrequencySketch(Capacity);
        var hashes = Enumerable.Range(0, 12).Select(SmallCache.HashOf).ToArray();
        Array.ForEach(hashes, hash => sketch.Add(hash, 12));

        // 12 x 12 are counted; one block is asked for all the rest of the span, and halved many times over.
        var other = SmallCache.HashOf(1000);
        sketch.Add(other, Capacity * 20 - 144);
        Assert.All(hashes, hash => Assert.Equal(6, sketch.Estimate(hash)));
        for (var span = 0; span < 2; span++)
        {
            sketch.Add(other, Capacity * 10);
        }

        Assert.All(hashes, hash => Assert.Equal(1, sketch.Estimate(hash)));
        for (var span = 0; span < 7; span++)
        {
            sketch.Add(other, Capacity * 10);
        }

        Assert.All(hashes, hash => Assert.Equal(0, sketch.Estimate(hash)));
    }

    [Fact]
    public void No_block_has_no_frequency()
    {
        var sketch = new FrequencySketch(4);
        sketch.Add(0, 9);
        Assert.Equal(0, sketch.Estimate(0));
    }
}
