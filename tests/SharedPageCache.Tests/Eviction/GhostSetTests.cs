using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

public sealed class GhostSetTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(-3)]
    public void A_capacity_of_nothing_is_refused(int capacity) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new GhostSet(capacity));

    [Fact]
    public void What_was_added_is_taken_once()
    {
        GhostSet ghosts = new(100);
        ghosts.Add(Hash(1));
        Assert.False(ghosts.TryTake(Hash(2)));
        Assert.True(ghosts.TryTake(Hash(1)));
        Assert.False(ghosts.TryTake(Hash(1)));
        Assert.Equal(0, ghosts.Count);
    }

    [Fact]
    public void Hashes_whose_fingerprint_would_be_zero_are_remembered()
    {
        GhostSet ghosts = new(4);
        ghosts.Add(0xABCD_0000_0000_0000);
        Assert.True(ghosts.TryTake(0xABCD_0000_0000_0000));
        ghosts.Add(ulong.MaxValue);
        Assert.True(ghosts.TryTake(ulong.MaxValue));
    }

    [Fact]
    public void What_is_added_again_counts_once_and_as_new()
    {
        GhostSet ghosts = new(3);
        foreach (int block in new[] { 1, 2, 3, 1, 1, 4 })
        {
            ghosts.Add(Hash(block));
        }

        Assert.Equal(3, ghosts.Count);
        Assert.False(ghosts.TryTake(Hash(2)));
        Assert.True(ghosts.TryTake(Hash(1)));
        Assert.True(ghosts.TryTake(Hash(3)));
        Assert.True(ghosts.TryTake(Hash(4)));
    }

    [Fact]
    public void What_is_taken_leaves_room_for_older_blocks()
    {
        GhostSet ghosts = new(10);
        ghosts.Add(Hash(0));
        for (int block = 1; block < 900; block++)
        {
            ghosts.Add(Hash(block));
            Assert.True(ghosts.TryTake(Hash(block)));
        }

        Assert.True(ghosts.TryTake(Hash(0)));
    }

    [Theory]
    [InlineData(1, 401)]
    [InlineData(2, 402)]
    [InlineData(9, 403)]
    [InlineData(10, 404)]
    public void Up_to_ten_it_is_a_queue(int capacity, int seed)
    {
        Random random = new(seed);
        GhostSet ghosts = new(capacity);
        List<int> queue = [];
        for (int step = 0; step < 20_000; step++)
        {
            string at = $"seed {seed}, step {step}";
            int block = random.Next(3 * capacity);
            if (random.Next(3) == 0)
            {
                Assert.True(queue.Remove(block) == ghosts.TryTake(Hash(block)), at);
            }
            else
            {
                ghosts.Add(Hash(block));
                queue.Remove(block);
                queue.Add(block);
                if (queue.Count > capacity)
                {
                    queue.RemoveAt(0);
                }
            }

            Assert.True(queue.Count == ghosts.Count, at);
        }
    }

    [Theory]
    [InlineData(11, 411)]
    [InlineData(100, 412)]
    [InlineData(129, 413)]
    [InlineData(1000, 414)]
    [InlineData(20_000, 415)]
    public void Above_ten_it_forgets_few_blocks_early_and_none_late(int capacity, int seed)
    {
        Random random = new(seed);
        GhostSet ghosts = new(capacity);
        ExactGhosts exact = new(capacity);
        int known = 0;
        int forgotten = 0;
        int kept = 0;
        int next = 0;
        for (int step = 0; step < Math.Max(30_000, 15 * capacity); step++)
        {
            ghosts.Add(Hash(next));
            exact.Add(next++);
            Assert.InRange(ghosts.Count, 1, capacity);
            if (random.Next(3) == 0)
            {
                int block = Math.Max(0, next - random.Next(2 * capacity) - 1);
                bool expected = exact.TryTake(block);
                bool found = ghosts.TryTake(Hash(block));
                known += expected ? 1 : 0;
                forgotten += expected && !found ? 1 : 0;
                kept += !expected && found ? 1 : 0;
            }
        }

        Assert.True(forgotten <= (0.025 * known) + 3, $"seed {seed}: {forgotten} of {known} forgotten early");
        Assert.True(kept <= (0.025 * known) + 3, $"seed {seed}: {kept} kept too long, {known} rightly");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(24)]
    [InlineData(36)]
    [InlineData(128)]
    [InlineData(129)]
    [InlineData(1000)]
    public void What_has_expired_never_comes_back(int capacity)
    {
        // 40 times round the ring of epochs. What full buckets forget early makes room for a few older blocks, so those
        // of the last one and a half capacities are not asked for.
        GhostSet ghosts = new(capacity);
        int epoch = (capacity + 127) / 128;
        for (int added = 0; added < 40 * 1024 * epoch; added++)
        {
            ghosts.Add(Hash(added));
            if (added % 977 == 0)
            {
                int first = Math.Max(0, added - (10 * capacity) - 2000);
                for (int block = first; block < added - (3 * capacity / 2) - 1; block += 7)
                {
                    Assert.False(ghosts.TryTake(Hash(block)), $"block {block} of {added}");
                }
            }
        }
    }

    [Theory]
    [InlineData(128)]
    [InlineData(1000)]
    public void However_many_are_taken_nothing_older_than_960_epochs_comes_back(int capacity)
    {
        // One block in ten stays, so that the set is never full and its oldest epochs expire by age.
        GhostSet ghosts = new(capacity);
        int epoch = (capacity + 127) / 128;
        for (int added = 0; added < 20_000 * epoch; added++)
        {
            ghosts.Add(Hash(added));
            if (added % 10 != 0)
            {
                Assert.True(ghosts.TryTake(Hash(added)));
            }

            int expired = added - (961 * epoch) - (added % 7 * 20 * epoch);
            Assert.False(expired >= 0 && ghosts.TryTake(Hash(expired)), $"block {expired} of {added}");
        }
    }

    [Fact]
    public void A_block_that_was_never_added_is_found_hardly_ever()
    {
        const int capacity = 50_000;
        GhostSet ghosts = new(capacity);
        for (int block = 0; block < 2 * capacity; block++)
        {
            ghosts.Add(Hash(block));
        }

        int found = Enumerable.Range(10_000_000, 1_000_000).Count(block => ghosts.TryTake(Hash(block)));
        Assert.InRange(found, 0, 20);
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(1_000_000)]
    public void An_entry_costs_six_and_a_half_bytes(int capacity) =>
        Assert.InRange(new GhostSet(capacity).Bytes, 4L * capacity, (13L * capacity / 2) + 4200);

    private static ulong Hash(int block) => BlockIdentity.Of(3, block, 0).Hash;

    /// <summary>A queue that forgets exactly.</summary>
    private sealed class ExactGhosts(int capacity)
    {
        private readonly Dictionary<int, LinkedListNode<int>> _nodes = [];
        private readonly LinkedList<int> _queue = new();

        public void Add(int block)
        {
            _nodes.Add(block, _queue.AddLast(block));
            if (_queue.Count > capacity)
            {
                _nodes.Remove(_queue.First!.Value);
                _queue.RemoveFirst();
            }
        }

        public bool TryTake(int block)
        {
            if (!_nodes.Remove(block, out LinkedListNode<int>? node))
            {
                return false;
            }

            _queue.Remove(node);
            return true;
        }
    }
}
