namespace SharedPageCache.Mappings;

/// <summary>
/// The windows in which two trees may show something else: all but those below nodes that they share.
/// </summary>
/// <remarks>
/// A shared node promises that its sharers have the same truth below it, cached or not. So it is skipped, and the walk costs in
/// proportion to what is not shared. A window of which neither tree knows anything is a difference unless a node above
/// it is shared: each file may have been changed there since.
/// </remarks>
internal static class TreeDifference
{
    /// <summary>A range of windows.</summary>
    internal readonly record struct Span(long First, long Last);

    /// <summary>The windows, in order, neighbours joined.</summary>
    /// <param name="left">One tree.</param>
    /// <param name="right">The other tree.</param>
    /// <param name="windows">How many windows to look at.</param>
    public static List<Span> Find(PageTree left, PageTree right, long windows)
    {
        var found = new List<Span>();
        if (left != right)
        {
            Compare(left, left.Height - 1, right, right.Height - 1, 0, windows - 1, found);
        }

        return found;
    }

    /// <summary>All windows, for trees of which it is not known whether what they share is true.</summary>
    public static List<Span> All(long windows)
    {
        var all = new List<Span>();
        Add(all, 0, windows - 1);
        return all;
    }

    private static void Compare(InnerNode? left, int leftLevel, InnerNode? right, int rightLevel, long first, long last, List<Span> found)
    {
        if (first > last || (left == right && left is not null))
        {
            return;
        }

        if (left is null || right is null)
        {
            Add(found, first, last);
            return;
        }

        // The lower tree is what the higher one has below its first child.
        var level = Math.Max(leftLevel, rightLevel);
        var span = 1L << level * InnerNode.FanoutShift;
        var children = Math.Max(leftLevel == level ? left.Width : 1, rightLevel == level ? right.Width : 1);
        for (var i = 0; i < children && first + i * span <= last; i++)
        {
            var start = first + i * span;
            var end = Math.Min(last, start + span - 1);
            if (level > 0)
            {
                Compare(
                    Child(left, leftLevel, level, i), Math.Min(leftLevel, level - 1),
                    Child(right, rightLevel, level, i), Math.Min(rightLevel, level - 1), start, end, found);
            }
            else if (i >= left.Width || i >= right.Width || left.LeafAt(i) is not { } leaf || leaf != right.LeafAt(i))
            {
                Add(found, start, start);
            }
        }

        Add(found, first + children * span, last);
    }

    private static InnerNode? Child(InnerNode node, int nodeLevel, int level, int index) =>
        nodeLevel < level ? (index == 0 ? node : null)
        : index < node.Width ? node.ChildAt(index)
        : null;

    private static void Add(List<Span> found, long first, long last)
    {
        if (first > last)
        {
            return;
        }

        if (found.Count > 0 && found[^1].Last + 1 == first)
        {
            found[^1] = found[^1] with { Last = last };
        }
        else
        {
            found.Add(new Span(first, last));
        }
    }
}
