using SharedPageCache.Memory;

namespace SharedPageCache.Tests.Capacity;

/// <summary>The memory of frames.</summary>
public sealed class ArenaTests
{
    [Theory]
    [InlineData(3, 1)]
    [InlineData(7, 2)]
    [InlineData(8, 8)]
    [InlineData(9, 14)]
    [InlineData(5, 20)]
    public void What_is_given_back_of_small_frames_leaves_their_neighbours_alone(int first, int count)
    {
        var frameSize = Environment.SystemPageSize / 8;
        var arena = new Arena(32, frameSize, hugePages: false);
        for (var frame = 0; frame < 32; frame++)
        {
            arena.Span(frame).Fill((byte)(frame + 1));
        }

        arena.Decommit(first, count);
        for (var frame = 0; frame < 32; frame++)
        {
            // The system takes whole pages of its own, which eight frames share.
            var page = frame / 8 * 8;
            var isGone = OperatingSystem.IsLinux() && page >= first && page + 8 <= first + count;
            Assert.Equal(-1, arena.Span(frame).IndexOfAnyExcept(isGone ? (byte)0 : (byte)(frame + 1)));
        }
    }

    /// <summary>A process may have 65,530 mappings, and thousands of small caches, one after the other, used them up.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Small_arenas_do_not_split_the_mappings_of_the_allocator(bool hugePages)
    {
        const int Arenas = 4000;
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        static int Mappings() => File.ReadLines("/proc/self/maps").Count();
        var before = Mappings();
        var arenas = Enumerable.Range(0, Arenas).Select(_ => new Arena(4, 512, hugePages)).ToArray();

        // Others map something meanwhile too, but not one for every arena.
        Assert.InRange(Mappings() - before, int.MinValue, Arenas / 2);
        GC.KeepAlive(arenas);
    }
}
