using SharedPageCache.Eviction;

namespace SharedPageCache.Tests.Eviction;

/// <summary>A miniature decides as the same rules written down with plain lists.</summary>
public class MiniatureCacheTests
{
    [Theory]
    [InlineData(2, 1, 1)]
    [InlineData(4, 1, 2)]
    [InlineData(16, 5, 3)]
    [InlineData(64, 3, 4)]
    [InlineData(64, 51, 5)]
    public void It_hits_when_the_plain_lists_hit(int capacity, int windowShare, int seed)
    {
        var sketch = new FrequencySketch(capacity);
        var miniature = new MiniatureCache(capacity, windowShare, sketch);
        var (window, main) = (new List<(ulong Hash, int Use)>(), new List<(ulong Hash, int Use)>());
        var random = new Random(seed);
        var hits = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var hash = SmallCache.HashOf(random.Next(5) == 0 ? i % (capacity * 2) : random.Next(capacity));
            if (random.Next(3) == 0)
            {
                sketch.Add(hash, 1);
            }

            var expected = Plain(hash);
            Assert.Equal(expected, miniature.Reference(hash));
            hits += expected ? 1 : 0;
        }

        Assert.InRange(hits, 1000, 20_000);

        bool Plain(ulong hash)
        {
            foreach (var queue in new[] { window, main })
            {
                var at = queue.FindIndex(entry => entry.Hash == hash);
                if (at >= 0)
                {
                    queue[at] = (hash, Math.Min(3, queue[at].Use + 1));
                    return true;
                }
            }

            if (window.Count + main.Count == capacity)
            {
                Evict();
            }

            window.Add((hash, 0));
            return false;
        }

        void Evict()
        {
            while (window.Count >= windowShare || main.Count == 0)
            {
                var candidate = window[0];
                if (candidate.Use > 0 || main.Count < capacity - windowShare)
                {
                    window.RemoveAt(0);
                    main.Add((candidate.Hash, 0));
                    continue;
                }

                Turn();
                var asked = sketch.Estimate(candidate.Hash);
                var isAdmitted = asked > 1 && asked > sketch.Estimate(main[0].Hash);
                (isAdmitted ? main : window).RemoveAt(0);
                if (isAdmitted)
                {
                    window.RemoveAt(0);
                    main.Add(candidate);
                }

                return;
            }

            Turn();
            main.RemoveAt(0);
        }

        void Turn()
        {
            while (main[0].Use > 0)
            {
                main.Add((main[0].Hash, 0));
                main.RemoveAt(0);
            }
        }
    }
}
