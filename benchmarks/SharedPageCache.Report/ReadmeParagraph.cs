using System.Globalization;
using SharedPageCache.Measures;

namespace SharedPageCache.Report;

/// <summary>The paragraph of the README that quotes figures: made from the tables, so that it says nothing else.</summary>
internal static class ReadmeParagraph
{
    private const string Begin = "<!-- written by benchmarks/SharedPageCache.Report -->";
    private const string End = "<!-- end -->";

    private const string Elsewhere =
        "Every figure stands in [docs/benchmarks.md](docs/benchmarks.md), beside its peers and what it is to reach, losses too. One command makes the page, and this paragraph:\n"
        + "`dotnet run -c Release --project benchmarks/SharedPageCache.Report`.";

    /// <summary>Writes the paragraph between its marks. If a figure is missing that it quotes, it stays as it is.</summary>
    /// <exception cref="InvalidDataException">The README has no marks.</exception>
    /// <param name="repository">The checkout.</param>
    /// <param name="figures">What was measured.</param>
    /// <param name="isQuoted">Whether the figures are worth quoting; else the paragraph only says where they are.</param>
    public static string Write(string repository, RunFigures figures, bool isQuoted)
    {
        var path = Path.Combine(repository, "README.md");
        var readme = File.ReadAllText(path);
        var begin = readme.IndexOf(Begin, StringComparison.Ordinal);
        var end = readme.IndexOf(End, Math.Max(begin, 0), StringComparison.Ordinal);
        if (begin < 0 || end < 0)
        {
            throw new InvalidDataException("README.md has no marks for the paragraph with the figures.");
        }

        try
        {
            File.WriteAllText(path, $"{readme[..(begin + Begin.Length)]}\n{(isQuoted ? Paragraph(figures) : Elsewhere)}\n{readme[end..]}");
        }
        catch (InvalidDataException missing)
        {
            Console.Error.WriteLine($"README.md stays as it is. {missing.Message}");
        }

        return path;
    }

    private static string Paragraph(RunFigures run)
    {
        var bars = run.Bars.Figures;
        var (random, hot) = (Ratio("TryRead of 4 KiB, random"), Ratio("TryRead of 4 KiB, hot"));
        var (randomKernel, hotKernel) = (Kernel("TryRead of 4 KiB, random"), Kernel("TryRead of 4 KiB, hot"));
        var lease = One(bars, "lease of a hot page", "");
        var write = One(bars, "first write of 4 KiB after a clone, a clean", "");
        var metadata = One(bars, "metadata of a resident page, windows full", "");
        var clones = run.Throughput.Figures.Where(static figure => figure.Section == "Memory of clones").ToList();
        var (shared, perFile) = (One(clones, "200 clones", "SharedPageCache"), One(clones, "200 clones", "per-file LRU"));
        var judged = bars.Concat(run.Throughput.Figures).Where(static figure => figure.Bar is not null).ToList();
        var met = judged.Count(static figure => figure.Bar!.IsMetBy(figure.Value));
        var busy = run.Bars.Machine.IsBusy ? " (on a machine that did other work meanwhile)" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""
            A hit of 4 KiB takes {random:0.00} times as long as a raw copy, random over {Size("TryRead of 4 KiB, random")}, and {hot:0.00} times in a hot set of 8 MiB: {randomKernel:0.0} and {hotKernel:0.0} times as fast as
            `RandomAccess.Read` of a file that the operating system has in memory. A lease of a hot page: {lease.Value:0.0} ns. The first write after a clone: {write.Value:0.0} us.
            Metadata: {metadata.Value:0} bytes a resident page, by what the process grows. {shared.What}: {shared.Value:0.0} MiB, and {perFile.Value:0} MiB in a per-file LRU{busy}.
            [All tables](docs/benchmarks.md), by one command, beside peers and bars: {met} of {judged.Count} bars are met, and the page says what bounds the others.
            """);

        double Ratio(string what) => One(bars, what, "time, raw copy").Value;

        double Kernel(string what) => One(bars, what, "speed, RandomAccess.Read").Value;

        string Size(string what) => One(bars, what, "").What.Split("over ")[^1];
    }

    private static Figure One(IEnumerable<Figure> figures, string what, string subject) =>
        figures.FirstOrDefault(figure => figure.What.StartsWith(what, StringComparison.Ordinal) && figure.Subject.StartsWith(subject, StringComparison.Ordinal))
        ?? throw new InvalidDataException($"There is no figure '{what}' of '{subject}'.");
}
