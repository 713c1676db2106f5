using SharedPageCache.HouseTests.Built;

namespace SharedPageCache.HouseTests.Floors;

/// <summary>Finds the mentions that look upwards or sideways.</summary>
internal static class FloorPlan
{
    /// <summary>The breaches among a set of mentions, each as one line that says who, where and whom.</summary>
    /// <param name="uses">Mentions by types of the core; those of other assemblies' types are nobody's business.</param>
    public static IReadOnlyList<string> Breaches(IEnumerable<Use> uses)
    {
        SortedSet<string> breaches = new(StringComparer.Ordinal);
        foreach (Use use in uses.Where(use => use.Target.Assembly is null))
        {
            if (House.RoomOf(use.From) is { } from
                && House.RoomOf(use.Target.Outermost) is { } to
                && !from.MayLookAt(to))
            {
                string member = use.Member is null ? "" : "." + use.Member;
                breaches.Add($"{from} must not look at {to}: {use.Site} mentions {use.Target.FullName}{member}");
            }
        }

        return [.. breaches];
    }
}
