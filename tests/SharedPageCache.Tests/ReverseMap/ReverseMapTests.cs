using SharedPageCache.Frames;
using SharedPageCache.Rmap;
using SharedPageCache.Tests.Support;

namespace SharedPageCache.Tests.ReverseMap;

/// <summary>The record of a frame: one place, a chain, a set, and back to nothing.</summary>
public class ReverseMapTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(60)]
    public void Places_that_are_removed_one_by_one_are_gone_and_the_others_stay(int count)
    {
        using var cache = new TestCache(frames: 8);
        var (rooms, frame) = TakeFrame(cache);
        var places = Enumerable.Range(1, count).Select(static i => new Place(i, i * 3)).ToList();
        places.ForEach(place => rooms.Rmap.Add(frame, place));
        for (var left = count; left > 0; left--)
        {
            Assert.Equal(left, rooms.Rmap.Count(frame));
            var found = new Place[count];
            Assert.Equal(places.ToHashSet(), found[..rooms.Rmap.CopyTo(frame, found)].ToHashSet());
            rooms.Rmap.Remove(frame, places[0]);
            Assert.False(rooms.Rmap.Contains(frame, places[0]));
            places.RemoveAt(0);
        }

        Assert.Equal(0, rooms.Rmap.Count(frame));
        Assert.Equal(0, rooms.Rmap.CopyTo(frame, new Place[1]));
        rooms.Pool.Push(frame);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(60)]
    public void A_frame_that_has_come_free_has_no_places(int count)
    {
        using var cache = new TestCache(frames: 8);
        var (rooms, frame) = TakeFrame(cache);
        for (var round = 0; round < 2; round++)
        {
            for (var i = 1; i <= count; i++)
            {
                rooms.Rmap.Add(frame, new Place(i, round));
            }

            Assert.Equal(count, rooms.Rmap.Count(frame));
            rooms.Rmap.Clear(frame);
            Assert.Equal(0, rooms.Rmap.Count(frame));
        }

        rooms.Pool.Push(frame);
    }

    private static (SharedPageCache.Faults.Rooms Rooms, int Frame) TakeFrame(TestCache cache)
    {
        var rooms = cache.Cache.Engine.Rooms;
        Assert.True(rooms.Supply.TryTake(FrameOwner.Nobody, out var frame));
        return (rooms, frame);
    }
}
