using System.Numerics;
using System.Runtime.CompilerServices;
using SharedPageCache.Frames;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Eviction;

/// <summary>
/// How sharers weigh: a page that n open files have used is spared once for each doubling of n, after its last use, before it goes.
/// </summary>
/// <remarks>
/// <para>
/// <b>The rule.</b> A policy sees uses, not users. If each of n files uses a page at some rate of its own, the page is used n times as
/// often, and its next use is as much nearer; a policy that has not seen one for a while knows this of a page that only one
/// file uses no worse than of one that a thousand use. So the picked page of n users goes only after log2 n more
/// rounds, seven at most, in which nobody has used it: 2 files one, 200 files seven. A use begins the count anew.
/// </para>
/// <para>
/// <b>Users</b> are those files that have used the page and are open (<see cref="Leaf.TouchesOf"/>), over the places that show the frame. A clone
/// that never read it does not count. Looked up only when a page is picked, outside all locks, at most <see cref="MostPlaces"/> places
/// and <see cref="MostLeaves"/> leaves of each: a lower bound, which is enough for a logarithm.
/// </para>
/// <para><b>Costs.</b> A byte a frame; a walk for each page that is picked; nothing on a hit, nothing when the option is off.</para>
/// </remarks>
internal sealed class SharerChances(FrameTable frames, ReverseMap rmap, FamilyTable families)
{
    /// <summary>The most often that a page is spared without being used.</summary>
    public const int MostSpares = 7;

    private const int MostPlaces = 16;
    private const int MostLeaves = 16;

    /// <summary>Whether the page is to stay for now; then it is counted. The caller has claimed it.</summary>
    public bool TrySpare(int frame, int generation)
    {
        var spent = frames.SparesOf(frame);
        if (spent >= MostSpares || spent >= BitOperations.Log2((uint)Math.Max(1, UsersOf(frame, generation))))
        {
            return false;
        }

        frames.CountSpare(frame);
        return true;
    }

    /// <summary>How many open files have used a page; a lower bound.</summary>
    public int UsersOf(int frame, int generation)
    {
        Span<Place> places = stackalloc Place[MostPlaces];
        var count = rmap.CopyTo(frame, places);
        var expected = PageReference.Resident(frame, generation);
        var users = 0;
        LeafBuffer leaves = default;
        foreach (var place in places[..count])
        {
            var found = families.Find(place.Family)?.CopyNewestTo(leaves) ?? 0;
            foreach (var leaf in ((Span<Leaf?>)leaves)[..found])
            {
                users += leaf![place.Slot] == expected ? leaf.TouchesOf(place.Slot) : 0;
            }
        }

        return users;
    }

    [InlineArray(MostLeaves)]
    private struct LeafBuffer
    {
        private Leaf? _first;
    }
}
