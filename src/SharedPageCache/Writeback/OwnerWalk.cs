using SharedPageCache.Mappings;
using SharedPageCache.Rmap;

namespace SharedPageCache.Writeback;

/// <summary>A place that shows a provisional frame.</summary>
/// <param name="File">The file.</param>
/// <param name="Page">The page of the file.</param>
/// <param name="Leaf">The leaf by which the file shows it.</param>
internal readonly record struct Owner(FileMapping File, long Page, Leaf Leaf);

/// <summary>
/// The complete walk: frame -> places -> leaves that show it -> files that reach those leaves, verified downwards.
/// </summary>
/// <remarks>
/// Under the volume's binding lock, which everything holds that changes who shows a provisional frame: so the answer is
/// exact. Costs in proportion to the leaves of the windows and the members of their clone families; files of a leaf are
/// found once for all its frames, which is why an instance serves one hold of the lock only.
/// </remarks>
internal sealed class OwnerWalk(ReverseMap rmap, FamilyTable families)
{
    /// <summary>Leaves that a quick look visits before it leaves the question to write-back.</summary>
    private const int MostLeaves = 64;

    private readonly Dictionary<Leaf, List<(FileMapping File, long Window)>> _files = new(ReferenceEqualityComparer.Instance);
    private readonly List<Leaf> _leaves = [];

    /// <summary>Every place that shows a frame, each once.</summary>
    public List<Owner> Find(int frame, int generation)
    {
        var owners = new List<Owner>();
        var reference = PageReference.Resident(frame, generation);
        foreach (var place in PlacesOf(frame))
        {
            foreach (var leaf in LeavesOf(place, reference))
            {
                foreach (var (file, window) in FilesOf(leaf))
                {
                    owners.Add(new Owner(file, (window << Window.Shift) + place.Slot, leaf));
                }
            }
        }

        return owners;
    }

    /// <summary>
    /// Whether anybody shows a frame. Stops at the first owner; true, to be on the safe side, when there are very many
    /// leaves to look at: write-back finds out.
    /// </summary>
    public bool MayHaveOwner(int frame, int generation)
    {
        var reference = PageReference.Resident(frame, generation);
        var seen = 0;
        foreach (var place in PlacesOf(frame))
        {
            foreach (var leaf in LeavesOf(place, reference))
            {
                if (++seen > MostLeaves || AnyFileOf(leaf))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private Place[] PlacesOf(int frame)
    {
        var places = new Place[rmap.Count(frame)];
        var count = rmap.CopyTo(frame, places);
        return places[..count];
    }

    private List<Leaf> LeavesOf(Place place, PageReference reference)
    {
        _leaves.Clear();
        families.Find(place.Family)?.CopyLeavesTo(_leaves);
        return _leaves.FindAll(leaf => !leaf.IsDead && leaf[place.Slot] == reference);
    }

    private bool AnyFileOf(Leaf leaf)
    {
        if (_files.TryGetValue(leaf, out var known))
        {
            return known.Count > 0;
        }

        foreach (var (clones, window) in leaf.Family.Adopters())
        {
            if (clones.AnyReaches(window, leaf))
            {
                return true;
            }
        }

        return false;
    }

    private List<(FileMapping File, long Window)> FilesOf(Leaf leaf)
    {
        if (_files.TryGetValue(leaf, out var files))
        {
            return files;
        }

        files = [];
        foreach (var (clones, window) in leaf.Family.Adopters().Distinct())
        {
            foreach (var file in clones.Members())
            {
                if (file.Reaches(window, leaf))
                {
                    files.Add((file, window));
                }
            }
        }

        _files.Add(leaf, files);
        return files;
    }
}
