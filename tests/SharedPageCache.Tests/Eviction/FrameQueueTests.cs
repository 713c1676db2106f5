using SharedPageCache.Eviction;
using SharedPageCache.Frames;

namespace SharedPageCache.Tests.Eviction;

public sealed class FrameQueueTests
{
    [Fact]
    public void The_mark_of_no_queue_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new FrameQueue(new FrameTable(1), 0));

    [Fact]
    public void Frames_leave_in_the_order_of_their_coming()
    {
        FrameQueue queue = new(new FrameTable(4), 1);
        Assert.Equal(FrameQueue.None, queue.Dequeue());
        queue.Enqueue(2);
        queue.Enqueue(0);
        queue.Enqueue(3);
        Assert.Equal(3, queue.Count);
        int[] left = [queue.Dequeue(), queue.Dequeue(), queue.Dequeue(), queue.Dequeue()];
        Assert.Equal([2, 0, 3, FrameQueue.None], left);
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public void A_frame_outside_carries_no_mark_and_no_links()
    {
        FrameTable frames = new(3);
        FrameQueue queue = new(frames, 5);
        for (int frame = 0; frame < 3; frame++)
        {
            queue.Enqueue(frame);
            Assert.Equal(5, frames[frame].Queue);
            Assert.True(queue.Contains(frame));
        }

        queue.Remove(1);
        Assert.False(queue.Contains(1));
        Assert.Equal(0, frames[1].Queue);
        Assert.Equal(-1, frames[1].Previous);
        Assert.Equal(-1, frames[1].Following);
    }

    [Fact]
    public void A_frame_is_in_one_of_two_queues_over_the_same_headers()
    {
        FrameTable frames = new(4);
        FrameQueue left = new(frames, 1);
        FrameQueue right = new(frames, 2);
        left.Enqueue(0);
        right.Enqueue(1);
        left.Enqueue(2);
        right.Enqueue(left.Dequeue());
        Assert.Equal([2], FromOldest(frames, left, 1));
        Assert.Equal([1, 0], FromOldest(frames, right, 2));
        Assert.False(left.Contains(0));
        Assert.True(right.Contains(0));
    }

    [Theory]
    [InlineData(1, 301)]
    [InlineData(2, 302)]
    [InlineData(3, 303)]
    [InlineData(60, 304)]
    public void Random_operations_agree_with_a_list(int frameCount, int seed)
    {
        Random random = new(seed);
        FrameTable frames = new(frameCount);
        FrameQueue queue = new(frames, 7);
        List<int> list = [];
        for (int step = 0; step < 10_000; step++)
        {
            int frame = random.Next(frameCount);
            if (list.Contains(frame))
            {
                queue.Remove(frame);
                list.Remove(frame);
            }
            else if (random.Next(4) > 0)
            {
                int place = random.Next(list.Count + 1);
                if (place == list.Count)
                {
                    queue.Enqueue(frame);
                }
                else
                {
                    queue.EnqueueBefore(list[place], frame);
                }

                list.Insert(place, frame);
                Assert.Equal(place + 1 < list.Count ? list[place + 1] : FrameQueue.None, queue.YoungerThan(frame));
            }
            else
            {
                int expected = list.Count == 0 ? FrameQueue.None : list[0];
                Assert.True(expected == queue.Dequeue(), $"seed {seed}, step {step}");
                list.Remove(expected);
            }

            Assert.True(list.Count == queue.Count, $"seed {seed}, step {step}");
            Assert.True(list.SequenceEqual(FromOldest(frames, queue, 7)), $"seed {seed}, step {step}");
        }
    }

    /// <summary>Walks the links of all frames that carry the mark, both ways.</summary>
    private static List<int> FromOldest(FrameTable frames, FrameQueue queue, byte mark)
    {
        List<int> order = [];
        int oldest = Enumerable.Range(0, frames.Count)
            .FirstOrDefault(frame => frames[frame].Queue == mark && frames[frame].Previous == -1, -1);
        for (int frame = oldest; frame != -1; frame = frames[frame].Following)
        {
            Assert.True(queue.Contains(frame));
            Assert.Equal(order.Count == 0 ? -1 : order[^1], frames[frame].Previous);
            order.Add(frame);
        }

        Assert.Equal(order.Count, Enumerable.Range(0, frames.Count).Count(queue.Contains));
        return order;
    }
}
