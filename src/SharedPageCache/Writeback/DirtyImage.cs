using SharedPageCache.Mappings;

namespace SharedPageCache.Writeback;

/// <summary>The frozen content of one dirty page, on its way to the device.</summary>
/// <param name="frame">The frame, pinned by the write-back.</param>
/// <param name="entry">What was known of it when it froze.</param>
/// <param name="owners">Who showed it when it froze, sorted; never empty.</param>
/// <param name="replaces">The block that holds the older content in the first owner's extents, or -1.</param>
internal sealed class DirtyImage(int frame, DirtyPages.Entry entry, List<Owner> owners, long replaces)
{
    public int Frame { get; } = frame;

    public int Generation => Entry.Generation;

    public DirtyPages.Entry Entry { get; } = entry;

    public List<Owner> Owners { get; } = owners;

    /// <summary>The place that stands for the image: the first owner.</summary>
    public Owner Origin => Owners[0];

    public long Replaces { get; } = replaces;

    /// <summary>Whether an image continues this one: the same owners, each a page further.</summary>
    public static bool Continues(List<Owner> owners, List<Owner> next)
    {
        if (owners.Count != next.Count)
        {
            return false;
        }

        for (var i = 0; i < owners.Count; i++)
        {
            if (owners[i].File != next[i].File || owners[i].Page + 1 != next[i].Page)
            {
                return false;
            }
        }

        return true;
    }
}
