using System.Globalization;
using System.Text;

namespace SharedPageCache.Mutants;

/// <summary>Writes what was found as a page of the documentation.</summary>
internal static class Table
{
    public static string Page(MutationCheck check)
    {
        var verdicts = check.Mutants.ConvertAll(mutant => (Mutant: mutant, Verdict: check.KnownOf(mutant)));
        var planted = check.KnownPlanted();
        var known = verdicts.Select(static row => row.Verdict).OfType<MutationCheck.Verdict>().ToList();
        var page = new StringBuilder();
        page.Append(
            """
            # Mutants: is there a test for each rule?

            Written by `dotnet run -c Release --project tests/SharedPageCache.Mutants -- --all`; do not edit. A mutant is the core with one rule broken. Each is
            compiled in memory, put in the place of the core beside tests that are built already, and the tests that it names are run; if they pass, all tests of
            the core, and the storms and fault stories if they are built. A mutant that survives is a missing test. CI runs those with a star.

            The list is [Mutants.txt](../tests/SharedPageCache.Mutants/Mutants.txt); a house test fails when one fits the sources no more. Time is processor time of
            the run that ended it, with the start of its process.


            """.ReplaceLineEndings("\n"));
        page.Append(CultureInfo.InvariantCulture,
            $"{check.Mutants.Count} mutants, {known.Count} run: {known.Count(static verdict => verdict.KilledBy is not null)} killed, {known.Count(static verdict => verdict.KilledBy is null)} survived.\n\n");
        page.Append("| mutant | room | rule that it breaks | killed by | s |\n|---|---|---|---|---|\n");
        foreach (var (mutant, verdict) in verdicts)
        {
            page.Append(CultureInfo.InvariantCulture,
                $"| {mutant.Name}{(mutant.IsInCi ? " *" : "")} | {mutant.Room} | {mutant.Rule} | {Killer(verdict)} | {verdict?.Seconds:0.0} |\n");
        }

        page.Append(
            """

            ## Planted bugs

            Mutants that only another thread can notice: left-out second looks, turned-round steps. The schedule explorer compiles them with the core and switches one
            on at a time ([Edits.txt](../tests/SharedPageCache.Schedules/Planted/Edits.txt)); its [README](../tests/SharedPageCache.Schedules/README.md) says in how many
            schedules each is found.

            """.ReplaceLineEndings("\n"));
        if (planted.Count > 0)
        {
            page.Append("| bug | found by | schedules |\n|---|---|---|\n");
        }

        foreach (var verdict in planted)
        {
            page.Append(CultureInfo.InvariantCulture, $"| {verdict.Name} | {Killer(verdict)} | {verdict.Seconds:0} |\n");
        }

        return page.ToString();
    }

    private static string Killer(MutationCheck.Verdict? verdict)
    {
        if (verdict is null)
        {
            return "not run yet";
        }

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
