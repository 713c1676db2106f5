using System.Runtime.CompilerServices;
using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Eviction;

/// <summary>
/// The evict walk: from a frame through its records to the leaves that show it, turning references back into what the
/// leaf's runs say.
/// </summary>
/// <remarks>
/// Bounded: at most <see cref="MaxPlaces"/> records and <see cref="MaxLeaves"/> leaves of each. What it does not reach (or
/// finds locked: the evictor comes from the frame and only tries) keeps a reference of an old generation, which nobody
/// believes and which loses no block, because a leaf keeps its runs. Costs one leaf for a page that any number of
/// undiverged clones show. Allocates nothing.
/// </remarks>
internal sealed class ReferenceWalk(ReverseMap rmap, FamilyTable families, NodeLedger ledger, int pageShift)
{
    public const int MaxPlaces = 64;
    public const int MaxLeaves = 16;

    public void TurnBack(int frame, int generation)
    {
        Span<Place> places = stackalloc Place[MaxPlaces];
        var count = rmap.CopyTo(frame, places);
        var expected = PageReference.Resident(frame, generation);
        LeafBuffer leaves = default;
        foreach (var place in places[..count])
        {
            var found = families.Find(place.Family)?.CopyNewestTo(leaves) ?? 0;
            foreach (var leaf in ((Span<Leaf?>)leaves)[..found])
            {
                if (leaf!.Lock.TryEnter())
                {
                    leaf.TurnBack(place.Slot, expected, pageShift, ledger);
                    leaf.Lock.Exit();
                }
            }
        }
    }

    [InlineArray(MaxLeaves)]
    private struct LeafBuffer
    {
        private Leaf? _first;
    }
}
