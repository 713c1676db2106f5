namespace SharedPageCache.Schedules.Planted;

/// <summary>The bugs that Edits.txt plants in copies of the core's sources; off unless a thread switches one on.</summary>
public static partial class Bugs
{
    [ThreadStatic]
    private static int t_active;

    /// <summary>A planted bug.</summary>
    /// <param name="Number">Its number, from 1.</param>
    /// <param name="Name">Its name.</param>
    /// <param name="File">The source that it is planted in.</param>
    /// <param name="Scenario">The scenarios that should find it: see <see cref="Partings"/>.</param>
    /// <param name="IsPlanted">Whether the text to change was still there, once.</param>
    internal sealed record Bug(int Number, string Name, string File, string Scenario, bool IsPlanted);

    /// <summary>What parts the scenarios of a bug: all must find it that are parted by the first, one of those that are by the second.</summary>
    internal static readonly string[] Partings = [" & ", "; "];

    internal static IReadOnlyList<Bug> All => Known;

    internal static Bug Named(string name) => Known.Single(bug => bug.Name == name);

    /// <summary>Switches a bug on for the calling thread, or all off.</summary>
    internal static void Activate(int number) => t_active = number;
}
