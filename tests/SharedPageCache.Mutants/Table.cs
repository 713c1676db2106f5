using System.Globalization;
using System.Text;

namespace SharedPageCache.Mutants;

/// <summary>Writes what was found as a page of the documentation.</summary>
internal static class Table
{
    public static string Page(List<Mutant> mutants, MutationCheck.Result result)
    {
        var page = new StringBuilder();
        page.AppendLine(
            """
            # Mutants: is there a test for each rule?

            Written by `dotnet run -c Release --project tests/SharedPageCache.Mutants -- --all`; do not edit. A mutant is the core with one rule broken. Each is
            compiled in memory, put in the place of the core beside tests that are built already, and the tests that it names are run; if they pass, all tests of
            the core, and then the storms and fault stories in their short form. A mutant that survives is a missing test. CI runs those marked with a star.

            The list is [Mutants.txt](../tests/SharedPageCache.Mutants/Mutants.txt). Time is processor time of the run that ended it, with the start of its process.

            """.ReplaceLineEndings("\n"));
        page.Append(CultureInfo.InvariantCulture, $"{mutants.Count} mutants, {result.Planted.Count} planted bugs: {result.Killed} killed, {result.Survived} survived.\n\n");
        page.Append("## Mutants\n\n| mutant | room | rule that it breaks | killed by | s |\n|---|---|---|---|---|\n");
        foreach (var (mutant, verdict) in mutants.Zip(result.Mutants))
        {
            page.Append(CultureInfo.InvariantCulture,
                $"| {mutant.Name}{(mutant.IsInCi ? " *" : "")} | {mutant.Room} | {mutant.Rule} | {Killer(verdict)} | {verdict.Seconds:0.0} |\n");
        }

        page.Append(
            """

            ## Planted bugs

            Mutants that only another thread can notice: left-out second looks, turned-round steps. The schedule explorer compiles them with the core and switches one
            on at a time ([Edits.txt](../tests/SharedPageCache.Schedules/Planted/Edits.txt)). Schedules until found, with the seed of this run.

            | bug | found by | schedules |
            |---|---|---|

            """.ReplaceLineEndings("\n"));
        foreach (var verdict in result.Planted)
        {
            page.Append(CultureInfo.InvariantCulture, $"| {verdict.Name} | {Killer(verdict)} | {verdict.Seconds:0} |\n");
        }

        return page.ToString();
    }

    private static string Killer(MutationCheck.Verdict verdict)
    {
        if (verdict.KilledBy is not { } test)
        {
            return "**survived**";
        }

        // Class and method of a test, with its arguments; without the namespace.
        var end = test.IndexOf('(', StringComparison.Ordinal) is var bracket and >= 0 ? bracket : test.Length;
        var parts = test[..end].Split('.');
        var name = test.StartsWith("scenario", StringComparison.Ordinal) || parts.Length < 2 ? test : $"{parts[^2]}.{parts[^1]}{test[end..]}";
        return $"`{(name.Length > 150 ? name[..150] + "…" : name).ReplaceLineEndings(" ")}`";
    }
}
