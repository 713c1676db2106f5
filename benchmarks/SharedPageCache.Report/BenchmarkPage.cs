using System.Globalization;
using System.Text;
using SharedPageCache.Measures;

namespace SharedPageCache.Report;

/// <summary>docs/benchmarks.md and its pictures.</summary>
internal static class BenchmarkPage
{
    private const string Folder = "benchmarks";
    private const string Command = "dotnet run -c Release --project benchmarks/SharedPageCache.Report";

    /// <summary>What a whole run has.</summary>
    private static readonly string[] Sections =
    [
        "Memory", "Reads that hit", "Hit latency by size", "Faults", "Clones", "Writes", "Misses and eviction", "Page sizes", "Threads", "Where the read lands",
        "Memory of clones", "Storms",
    ];

    /// <summary>Writes the page.</summary>
    /// <param name="repository">The checkout.</param>
    /// <param name="figures">What was measured.</param>
    /// <param name="options">The options of the run.</param>
    /// <param name="took">How long the run took, if this was one.</param>
    /// <returns>The files written.</returns>
    public static IReadOnlyList<string> Write(string repository, RunFigures figures, string options, TimeSpan? took)
    {
        var docs = Path.Combine(repository, "docs");
        Directory.CreateDirectory(Path.Combine(docs, Folder));
        var written = new List<string>();
        var page = new StringBuilder();
        Head(page, figures, options, took);
        var all = figures.Figures.ToList();
        foreach (var section in all.GroupBy(static figure => figure.Section))
        {
            page.Append(Text($"\n## {section.Key}\n\n"));
            if (Pictures.For(section.Key, [.. section]) is { } picture)
            {
                var name = Text($"{section.Key.ToLowerInvariant().Replace(' ', '-')}.svg");
                Save(name, picture.ToSvg());
                page.Append(Text($"![{picture.Title}]({Folder}/{name})\n\n"));
            }

            Table(page, [.. section]);
        }

        page.Append("\n## Hit ratios\n\n");
        if (figures.HitRatios.Count == 0)
        {
            page.Append(Text($"Not in this run: it was given no traces (`{Command} -- --traces PATH`).\n"));
        }
        else
        {
            Save("hit-ratio.svg", Pictures.HitRatios(figures.HitRatios));
            page.Append(Text($"Replayed through the cache's own evictor and frames. Regret is the distance from the best of 14 online policies of other libraries on the same row, in points of 1 %.\n\n![Hit ratio against cache size, by trace]({Folder}/hit-ratio.svg)\n\n"));
            Ratios(page, figures.HitRatios);
        }

        if (figures.CloneRatios.Count > 0)
        {
            Clones(page, figures.CloneRatios);
        }

        page.Append('\n').Append(Notes());
        var path = Path.Combine(docs, "benchmarks.md");
        File.WriteAllText(path, page.ToString());
        return [path, .. written];

        void Save(string name, string svg)
        {
            var file = Path.Combine(docs, Folder, name);
            File.WriteAllText(file, svg);
            written.Add(file);
        }
    }

    private static void Head(StringBuilder page, RunFigures figures, string options, TimeSpan? took)
    {
        var machine = figures.Bars.Machine;
        var bars = figures.Figures.Where(static figure => figure.Bar is not null).ToList();
        var met = bars.Count(static figure => figure.Bar!.IsMetBy(figure.Value));
        page.Append("# Benchmarks\n\n");
        page.Append(Text($"Made by one command, losses included; {met} of {bars.Count} bars are met. Do not edit: run it again.\n\n"));
        page.Append(Text($"```bash\n{Command}{(options.Length > 0 ? $" -- {options}" : "")}\n```\n\n"));
        page.Append("| | |\n|---|---|\n");
        page.Append(Text($"| processor | {machine.Processor}, {machine.Cores} cores |\n| memory | {machine.MemoryBytes / 1073741824.0:0} GiB |\n"));
        page.Append(Text($"| system | {machine.System} |\n| runtime | {machine.Runtime} |\n| date | {machine.Moment:yyyy-MM-dd HH:mm} UTC |\n"));
        if (took is { } time)
        {
            page.Append(Text($"| the run took | {time.TotalMinutes:0.0} minutes |\n"));
        }

        page.Append(Text($"| load before it began | {machine.Load:0.0} |\n\n"));
        if (machine.IsBusy || figures.Throughput.Machine.Load > machine.Cores + 1.5)
        {
            page.Append("**The machine was doing other work meanwhile.** Absolute times are too long, scaling over threads means nothing, and ratios are rough.\n\n");
        }

        if (options.Contains("--busy", StringComparison.Ordinal))
        {
            page.Append("Where one thread runs its processor time was counted, which leaves waits out and nothing else of the disturbance.\n\n");
        }

        if (options.Contains("--quick", StringComparison.Ordinal))
        {
            page.Append("**A quick run**, with small files and short rounds: to see that it works, not to be quoted.\n\n");
        }

        foreach (var failure in figures.Failures)
        {
            page.Append(Text($"**Failed in this run:** {failure}\n\n"));
        }

        var missing = Sections.Except(figures.Figures.Select(static figure => figure.Section)).ToList();
        if (missing.Count > 0)
        {
            page.Append(Text($"Not in this run: {string.Join("; ", missing.Select(static section => section.ToLowerInvariant()))}.\n\n"));
        }

        page.Append(
            """
            Peers take turns in one process, in hundreds of rounds of about half a millisecond each. Rounds in which the first of them (the raw copy, where there is one)
            took more than 1.3 times its own minimum are dropped for all; a ratio is the median of the ratios of the rounds that remain. A *raw copy* is a copy from memory of
            the same size and the same kind of pages through one random indirection: no cache can be faster. *RandomAccess.Read* and *MemoryMappedFile* read the same bytes from the operating system's page
            cache, *per-file LRU* is a `ConcurrentDictionary` with an exact LRU list, *MemoryCache* is Microsoft.Extensions.Caching.Memory. SQLite's page cache cannot be read by
            the page from outside; it is compared where that is fair, query by query, in [sqlite.md](sqlite.md). Times are medians, in the unit given.

            """);
    }

    private static void Table(StringBuilder page, IReadOnlyList<Figure> figures)
    {
        var hasBars = figures.Any(static figure => figure.Bar is not null);
        page.Append(hasBars ? "| what | of | measured | bar | | from |\n|---|---|---:|---:|---|---|\n" : "| what | of | measured | from |\n|---|---|---:|---|\n");
        var last = "";
        foreach (var figure in figures)
        {
            var what = figure.What == last ? "" : figure.What;
            last = figure.What;
            var verdict = figure.Bar is null ? "" : figure.Bar.IsMetBy(figure.Value) ? "met" : "**missed**";
            page.Append(Text($"| {what} | {figure.Subject} | {Number(figure.Value)} {figure.Unit} |"));
            page.Append(hasBars ? Text($" {figure.Bar?.ToString() ?? ""} | {verdict} | {figure.Detail} |\n") : Text($" {figure.Detail} |\n"));
        }
    }

    private static void Ratios(StringBuilder page, IReadOnlyList<HitRatio> ratios)
    {
        string[] policies = [.. ratios.Select(static row => row.Policy).Distinct()];
        page.Append(Text($"| policy | mean regret | worst regret | on | distance from its reference | on |\n|---|---:|---:|---|---:|---|\n"));
        foreach (var policy in policies)
        {
            var rows = ratios.Where(row => row.Policy == policy).ToList();
            var worst = rows.MaxBy(static row => row.Regret)!;
            var farthest = rows.MaxBy(static row => Math.Abs(row.Difference))!;
            page.Append(Text($"| {policy} | {rows.Average(static row => row.Regret):0.00} | {worst.Regret:0.00} | {worst.Trace} at {worst.CachePages} pages "));
            page.Append(Text($"| {farthest.Difference:+0.00;-0.00;0.00} | {farthest.Trace} at {farthest.CachePages} pages |\n"));
        }

        page.Append(Text($"\n| trace | pages | best of 14 | {string.Join(" | ", policies)} |\n|---|---:|---:|{string.Concat(policies.Select(static _ => "---:|"))}\n"));
        foreach (var row in ratios.GroupBy(static row => (row.Trace, row.CachePages)))
        {
            var cells = policies.Select(policy => row.FirstOrDefault(one => one.Policy == policy) is { } one ? Text($"{one.Ratio * 100:0.0}") : "");
            page.Append(Text($"| {row.Key.Trace} | {row.Key.CachePages:N0} | {row.First().BestOnline * 100:0.0} | {string.Join(" | ", cells)} |\n"));
        }
    }

    private static void Clones(StringBuilder page, IReadOnlyList<CloneRatio> ratios)
    {
        page.Append("\n### Clones\n\nSynthetic: four clones of a trace take turns, each beginning at another part of it; a tenth of the pages is each clone's own. *Shared* and *per file* are the same policy over the same\n");
        page.Append("frames, with common blocks known as such and with each clone's blocks to itself; *best per file* is the best of all policies that share nothing.\n\n");
        page.Append("| trace | pages | policy | shared | shared, doublings | per file | best per file | |\n|---|---:|---|---:|---:|---:|---:|---|\n");
        foreach (var row in ratios.GroupBy(static one => (one.Trace, one.CachePages)))
        {
            var (ours, best) = (row.First(), row.Max(static one => one.PerFile));
            page.Append(Text($"| {ours.Trace} | {ours.CachePages:N0} | {ours.Policy} | {ours.Shared * 100:0.0} | {ours.SharedWeighed * 100:0.0} | {ours.PerFile * 100:0.0} "));
            page.Append(Text($"| {best * 100:0.0} | {(ours.Shared >= best ? "sharing is better" : "**sharing is worse**")} |\n"));
        }
    }

    private static string Notes()
    {
        using var reader = new StreamReader(typeof(BenchmarkPage).Assembly.GetManifestResourceStream("Notes.md")!);
        return reader.ReadToEnd();
    }

    private static string Number(double value) => Math.Abs(value) switch
    {
        >= 1000 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 100 => value.ToString("0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
