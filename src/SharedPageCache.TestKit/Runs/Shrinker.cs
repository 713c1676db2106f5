using System.Diagnostics;

namespace SharedPageCache.TestKit.Runs;

/// <summary>
/// Makes a failing history shorter: drops as many of its steps as it can while it still fails. Delta debugging, after Zeller and
/// Hildebrandt, "Simplifying and isolating failure-inducing input" (IEEE TSE 2002), with complements only.
/// </summary>
/// <remarks>
/// The steps must mean something whatever went before: let each draw what it needs from a seed of its own and choose among what
/// is there, as <see cref="Models.FileModel"/> does.
/// </remarks>
public static class Shrinker
{
    /// <summary>Finds a shorter list that fails.</summary>
    /// <typeparam name="T">What a step is.</typeparam>
    /// <param name="steps">A list that fails.</param>
    /// <param name="fails">Whether a list fails. May be asked about several hundred lists.</param>
    /// <param name="limit">When to be content with what there is.</param>
    /// <returns>A list in the same order of which no step can be left out, or the shortest within the limit.</returns>
    public static IReadOnlyList<T> Shrink<T>(IReadOnlyList<T> steps, Func<IReadOnlyList<T>, bool> fails, TimeSpan limit)
    {
        ArgumentNullException.ThrowIfNull(steps);
        ArgumentNullException.ThrowIfNull(fails);
        var watch = Stopwatch.StartNew();
        var kept = steps;
        for (var size = (steps.Count + 1) / 2; size > 0 && kept.Count > 0;)
        {
            var before = kept.Count;

            // From the end: what comes last depends on what came before, and is the first that can go.
            for (var start = (kept.Count - 1) / size * size; start >= 0; start -= size)
            {
                if (watch.Elapsed > limit)
                {
                    return kept;
                }

                T[] shorter = [.. kept.Take(start), .. kept.Skip(start + size)];
                if (shorter.Length < kept.Count && fails(shorter))
                {
                    kept = shorter;
                }
            }

            // Another round of single steps as long as that helps: what could not go may, now that others are gone.
            size = size > 1 ? (size + 1) / 2 : kept.Count < before ? 1 : 0;
        }

        return kept;
    }
}
