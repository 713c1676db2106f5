using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

/// <summary>What SIEVE promises beyond what every policy does: who was used stays in its place.</summary>
public sealed class SievePolicyTests : EvictionPolicyTests
{
    private protected override IEvictionPolicy Create(FrameTable frames, int capacityFrames) => new SievePolicy(frames, capacityFrames);

    [Fact]
    public void Used_pages_stay_where_they_are_and_the_hand_goes_on()
    {
        // The paper's figure: A, C and G used among seven; the hand clears A, takes B, clears C, takes D.
        var cache = new SmallCache(7, Create);
        cache.ReadAll(['A', 'B', 'C', 'D', 'E', 'F', 'G', 'A', 'C', 'G']);
        cache.ReadAll(['H', 'I']);
        Assert.Equal(['B', 'D'], cache.Evicted.Select(page => (char)page));
        cache.ReadAll(['J', 'K']);
        Assert.Equal(['B', 'D', 'E', 'F'], cache.Evicted.Select(page => (char)page));

        // G is cleared in passing, then the young ones go; A and C stand behind the hand until it has gone round.
        Assert.Equal(['H', 'I', 'J', 'K', 'A', 'C', 'G'], cache.Drain().Select(page => (char)page));
    }

    [Fact]
    public void Those_who_are_used_in_each_round_outlive_a_stream_of_others()
    {
        var cache = new SmallCache(100, Create);
        var popular = Enumerable.Range(0, 50).ToArray();
        cache.ReadAll(popular);
        cache.ReadAll(popular);
        for (var i = 0; i < 20_000; i++)
        {
            cache.Read(1000 + i);
            cache.Read(popular[i % popular.Length]);
        }

        Assert.All(popular, page => Assert.DoesNotContain(page, cache.Evicted));
    }

    [Fact]
    public void A_page_that_was_put_back_stands_where_it_stood()
    {
        var cache = new SmallCache(4, Create);
        cache.ReadAll([1, 2, 3, 4]);
        cache.Pin(1);
        cache.Read(5);
        cache.Unpin(1);
        Assert.Equal([2], cache.Evicted);
        Assert.Equal([3, 4, 5, 1], cache.Drain());
    }

    [Fact]
    public void It_holds_no_memory_of_its_own() => Assert.Equal(0, Create(new FrameTable(1000), 1000).MetadataBytes);

    [Theory]
    [InlineData(1, 101)]
    [InlineData(2, 102)]
    [InlineData(5, 103)]
    [InlineData(50, 104)]
    public void Random_operations_agree_with_a_list(int frameCount, int seed)
    {
        var random = new Random(seed);
        var frames = new FrameTable(frameCount);
        IEvictionPolicy policy = Create(frames, frameCount);
        var queue = new List<int>();
        var hand = -1;
        for (var step = 0; step < 20_000; step++)
        {
            var frame = random.Next(frameCount);
            switch (random.Next(6))
            {
                case 0 or 1 when !queue.Contains(frame):
                    policy.Admit(frame, 0);
                    queue.Add(frame);
                    break;
                case 2:
                    // The model looks at the counts and leaves the clearing of them to the policy.
                    var seen = Enumerable.Range(0, queue.Count).Select(i => (Math.Max(0, hand) + i) % queue.Count).ToList();
                    var unused = seen.FindIndex(i => frames[queue[i]].Use == 0);
                    var place = queue.Count == 0 ? -1 : seen[Math.Max(0, unused)];
                    var expected = place < 0 ? -1 : queue[place];
                    var found = policy.PickVictim();
                    Assert.True(expected == found, $"seed {seed}, step {step}: {found} instead of {expected}");
                    if (found < 0)
                    {
                        break;
                    }

                    queue.RemoveAt(place);
                    hand = place == queue.Count ? -1 : place;
                    if (random.Next(3) == 0)
                    {
                        policy.PutBack(found);
                        queue.Insert(place, found);
                        hand = hand < 0 ? -1 : hand + 1;
                    }

                    break;
                case 3 when random.Next(4) == 0:
                    policy.Remove(frame);
                    if (queue.IndexOf(frame) is var left and >= 0)
                    {
                        queue.RemoveAt(left);
                        hand = left < hand ? hand - 1 : hand == queue.Count ? -1 : hand;
                    }

                    break;
                default:
                    frames[frame].Use = (byte)random.Next(FrameTable.MaxUse + 1);
                    break;
            }
        }
    }
}
