using Spectre.Console;
using Spectre.Console.Rendering;

namespace SharedPageCache.Samples.CloneStorm;

/// <summary>What people see: a title before the run, a table and a chart for each leg after it.</summary>
internal sealed class StormReport
{
    private const string OursName = "SharedPageCache";

    private static readonly Style Quiet = new(Color.Grey);

    private readonly IAnsiConsole _console;

    /// <summary>Makes a report.</summary>
    /// <param name="console">Where it goes.</param>
    public StormReport(IAnsiConsole console)
    {
        _console = console;
    }

    /// <summary>The colour of this cache in bars and tables.</summary>
    public static Style Ours { get; } = new(Color.Green);

    /// <summary>The colour of what it is compared with.</summary>
    public static Style Theirs { get; } = new(Color.Orange3);

    /// <summary>Writes the title.</summary>
    /// <param name="source">The files that will be packed.</param>
    /// <param name="options">What was asked for.</param>
    public void Open(SourceTree source, StormOptions options)
    {
        _console.WriteLine();
        _console.Write(new Rule("[bold]CloneStorm[/]") { Justification = Justify.Left, Style = Style.Plain });
        _console.WriteLine(
            $"{options.Clones:n0} clones of one image: {source.Files.Count:n0} files, {ByteSize.Text(source.Bytes)}");
        _console.Write(new TextPath(source.Root));
        _console.WriteLine();
        _console.WriteLine();
    }

    /// <summary>Writes the results.</summary>
    /// <param name="options">What was asked for.</param>
    /// <param name="figures">What was found.</param>
    public void Close(StormOptions options, StormFigures figures)
    {
        WriteFull(options, figures.Image, figures.Full);
        WriteWritten(options, figures);
        WriteHalf(options, figures.Half);
        WriteVerdict(options, figures);
    }

    private void WriteFull(StormOptions options, ImageFigures image, CloneFigures full)
    {
        Section($"{options.Clones:n0} clones, each read in full");

        Table table = Comparison("one cache per file", OursName, "ratio");
        AddRow(
            table,
            "memory for pages",
            ByteSize.Text(full.LogicalBytes),
            ByteSize.Text(full.ResidentBytes),
            Ratio(full.LogicalBytes, full.ResidentBytes));
        AddRow(table, "memory for metadata", "", ByteSize.Text(full.MetadataBytes), "");
        AddRow(
            table,
            $"device reads, {ByteSize.Text(options.PageSize)} blocks",
            $"{full.DistinctBlocks * options.Clones:n0}",
            $"{full.DeviceBlocksRead:n0}",
            Ratio(full.DistinctBlocks * options.Clones, full.DeviceBlocksRead));
        _console.Write(table);
        _console.Write(new BarRows(ByteSize.Text)
            .Add("one cache per file", full.LogicalBytes, Theirs)
            .Add(OursName, full.ResidentBytes, Ours));
        _console.WriteLine();

        double rate = full.LogicalBytes / full.ReadTime.TotalSeconds;
        Fact("image", $"{full.DistinctBlocks:n0} distinct blocks in {image.Extents:n0} extents");
        Fact("saved", $"{ByteSize.Text(full.SavedBytes)}, by the cache's own count");
        Fact(
            "reading",
            $"{full.ReadTime.TotalSeconds:0.0} s on {Environment.ProcessorCount} cores, every byte compared: "
            + $"{ByteSize.Text(rate)}/s");
        Fact(
            "a clone",
            $"{full.CloneCost.NanosecondsMedian:n0} ns and {full.CloneCost.AllocatedBytes:n0} B "
            + $"(median of {full.CloneCost.Samples:n0} clones of a file read in full)");
        Fact("clone of clone", $"up to {full.CloneDepth} deep, all read alike");
        if (full.CapacityBytes < image.Bytes)
            Fact("note", $"{ByteSize.Text(full.CapacityBytes)} of memory do not hold the image: blocks are read again");
    }

    private void WriteWritten(StormOptions options, StormFigures figures)
    {
        (WriteFigures written, ReopenFigures reopened) = (figures.Written, figures.Reopened);
        Section($"{written.Writers:n0} clones written, {reopened.Files - 1 - written.Writers:n0} of them cloned again while dirty");

        Table table = Comparison("full copies", OursName, "ratio");
        AddRow(
            table,
            $"on disk, {reopened.Files:n0} files",
            ByteSize.Text(reopened.LogicalBytes),
            ByteSize.Text(reopened.ContentBytes),
            Ratio(reopened.LogicalBytes, reopened.ContentBytes));
        AddRow(
            table,
            "memory for pages, after it",
            ByteSize.Text(reopened.LogicalBytes),
            ByteSize.Text(written.ResidentBytes),
            Ratio(reopened.LogicalBytes, written.ResidentBytes));
        AddRow(table, "memory for metadata", "", ByteSize.Text(written.MetadataBytes), "");
        _console.Write(table);
        _console.Write(new BarRows(ByteSize.Text)
            .Add("full copies", reopened.LogicalBytes, Theirs)
            .Add($"{OursName}, on disk", reopened.ContentBytes, Ours));
        _console.WriteLine();

        Fact(
            "writing",
            $"{written.DirtyPages:n0} pages in {written.WriteTime.TotalSeconds:0.00} s, {written.CowCopies:n0} of them copied, "
            + "for they were written in part");
        Fact("while dirty", $"{written.ClonesWhileDirty:n0} clones made before any page had gone to the device");
        Fact(
            "one flush",
            $"{written.FlushTime.TotalSeconds:0.00} s: {written.DeviceBlocksWritten:n0} blocks of content, "
            + $"{ByteSize.Text((double)written.DeviceBlocksWritten * options.PageSize)}");
        Fact(
            "opened again",
            $"{ByteSize.Text(reopened.LogicalBytes)} read in {reopened.ReadTime.TotalSeconds:0.0} s, "
            + (reopened.Verified ? "every byte as it should be" : "NOT as it should be"));
    }

    private void WriteHalf(StormOptions options, HalfFigures half)
    {
        Section($"The same clones with memory for half of the image: {ByteSize.Text(half.CapacityBytes)}");

        (CacheFigures theirs, CacheFigures ours) = (half.PerFileLru, half.Shared);
        Table table = Comparison("per-file LRU", OursName, "ratio");
        AddRow(table, "hit ratio", $"{theirs.HitRatio:p1}", $"{ours.HitRatio:p1}", "");
        AddRow(
            table,
            $"device reads, {ByteSize.Text(options.PageSize)} blocks",
            $"{theirs.DeviceBlocksRead:n0}",
            $"{ours.DeviceBlocksRead:n0}",
            Ratio(theirs.DeviceBlocksRead, ours.DeviceBlocksRead));
        AddRow(
            table,
            "read from the device",
            ByteSize.Text((double)theirs.DeviceBlocksRead * options.PageSize),
            ByteSize.Text((double)ours.DeviceBlocksRead * options.PageSize),
            "");
        AddRow(
            table,
            "time",
            $"{theirs.Time.TotalSeconds:0.0} s",
            $"{ours.Time.TotalSeconds:0.0} s",
            Ratio(theirs.Time.TotalSeconds, ours.Time.TotalSeconds));
        _console.Write(table);
        _console.Write(new BarRows(ratio => $"{ratio:p1}", full: 1)
            .Add("hits of per-file LRU", theirs.HitRatio, Theirs)
            .Add($"hits of {OursName}", ours.HitRatio, Ours));
        _console.WriteLine();

        Fact(
            "the reads",
            $"{AccessPattern.Reads:n0} of {ByteSize.Text(AccessPattern.ReadBytes)}, the same for both; "
            + $"clone and place drawn by Zipf's law, s = {AccessPattern.Exponent}");
        Fact("the memory", "the same for both, book-keeping included");
    }

    private void WriteVerdict(StormOptions options, StormFigures figures)
    {
        CloneFigures full = figures.Full;
        Section("Verdict");
        if (figures.Verified)
        {
            Fact(
                "verified",
                $"all {ByteSize.Text(full.LogicalBytes)} of {options.Clones:n0} clones against the source files, "
                + $"and {ByteSize.Text(figures.Reopened.LogicalBytes)} of {figures.Reopened.Files:n0} files after writing",
                Ours);
            Fact("SHA-256", figures.Image.Sha256);
        }
        else
        {
            Fact(
                "NOT verified",
                $"{ByteSize.Text(full.LogicalBytes - full.RightBytes)} of the clones came wrong, SHA-256 of the whole "
                + $"is {(full.WholeMatches ? "right" : "wrong")}, the volume opened again is "
                + $"{(figures.Reopened.Verified ? "right" : "wrong")}, reads with half of the memory are "
                + $"{(figures.Half.Verified ? "right" : "wrong")}",
                new Style(Color.Red));
        }

        _console.WriteLine();
    }

    private void Section(string title)
    {
        _console.WriteLine();
        _console.Write(new Rule($"[bold]{title}[/]") { Justification = Justify.Left, Style = Style.Plain });
    }

    private void Fact(string name, string text, Style? style = null)
    {
        Grid line = new Grid().AddColumn(new GridColumn().Width(16).Padding(2, 0, 0, 0).NoWrap()).AddColumn();
        line.AddRow(new Text(name, style ?? Quiet), new Text(text));
        _console.Write(line);
    }

    private static Table Comparison(string theirs, string ours, string last)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("");
        table.AddColumn(new TableColumn(new Text(theirs, Theirs)).RightAligned());
        table.AddColumn(new TableColumn(new Text(ours, Ours)).RightAligned());
        table.AddColumn(new TableColumn(last).RightAligned());
        return table;
    }

    private static void AddRow(Table table, params string[] cells) =>
        table.AddRow(cells.Select(cell => (IRenderable)new Text(cell)));

    private static string Ratio(double theirs, double ours)
    {
        double ratio = theirs / ours;
        return ratio >= 10 ? $"{ratio:n0} : 1" : $"{ratio:0.0} : 1";
    }
}
