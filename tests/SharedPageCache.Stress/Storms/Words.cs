using System.Text;

namespace SharedPageCache.Stress.Storms;

/// <summary>What the frames of a cache look like from inside.</summary>
internal static class Words
{
    public static long PinsOf(PageCache cache)
    {
        var frames = cache.Engine.Rooms.Frames;
        var pins = 0L;
        for (var frame = 0; frame < frames.Count; frame++)
        {
            pins += frames[frame].PinsAcquire;
        }

        return pins;
    }

    public static string OfFrames(PageCache cache)
    {
        var rooms = cache.Engine.Rooms;
        var text = new StringBuilder($"free {rooms.Pool.FreeCount}, withheld {rooms.Pool.WithheldCount}, retired {rooms.Pool.RetiredCount}, reserve {rooms.Plan.Reserve}");
        for (var frame = 0; frame < rooms.Frames.Count; frame++)
        {
            ref var header = ref rooms.Frames[frame];
            if (header.State.Load().Phase != Frames.FramePhase.Free || header.PinsAcquire != 0)
            {
                text.AppendLine().Append($"  frame {frame}: {header.State}, {header.PinsAcquire} pins, {rooms.Frames.IdentityOf(frame)}");
            }
        }

        return text.ToString();
    }
}
