using System.Text.Json.Nodes;
using Spectre.Console;

namespace SharedPageCache.Samples.ReflinkImages;

/// <summary>What was found.</summary>
/// <param name="Files">How many reflinks were read.</param>
/// <param name="ImageBytes">The length of each in bytes.</param>
/// <param name="Kernel">What plain reads cost.</param>
/// <param name="Shared">What reads through the cache cost.</param>
/// <param name="Writing">What writing did, if it was asked for.</param>
internal sealed record ExperimentFigures(int Files, long ImageBytes, KernelLeg Kernel, SharedLeg Shared, WriteLeg? Writing)
{
    /// <summary>Whether every byte was right, both ways, and what was written is what was found.</summary>
    public bool Verified => Kernel.Verified && Shared.Verified && Writing is not { Verified: false };

    /// <summary>The figures as one JSON object.</summary>
    public string ToJson()
    {
        var figures = new JsonObject
        {
            ["files"] = Files,
            ["distinct_bytes"] = Shared.DistinctBytes,
            ["kernel_cache_bytes"] = Kernel.CachedBytes,
            ["shared_resident_bytes"] = Shared.ResidentBytes,
            ["shared_kernel_bytes"] = Shared.KernelBytes,
        };
        if (Writing is not null)
        {
            figures["files_written"] = Writing.Files;
            figures["pages_written"] = Writing.PagesWritten;
            figures["written_pages_read_again"] = Writing.ReadAgain;
        }

        figures["verified"] = Verified;
        return figures.ToJsonString();
    }

    /// <summary>Writes the figures as a table.</summary>
    /// <param name="console">Where it goes.</param>
    public void Write(IAnsiConsole console)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("");
        table.AddColumn(new TableColumn("[orange3]plain reads[/]").RightAligned());
        table.AddColumn(new TableColumn("[green]SharedPageCache[/]").RightAligned());
        table.AddRow("read by the programs", ByteSize.Text((double)ImageBytes * Files), ByteSize.Text((double)ImageBytes * Files));
        table.AddRow("distinct on disk (FIEMAP)", ByteSize.Text(Shared.DistinctBytes), ByteSize.Text(Shared.DistinctBytes));
        table.AddRow("kernel's page cache grew by", ByteSize.Text(Kernel.CachedBytes), ByteSize.Text(Shared.KernelBytes));
        table.AddRow("this cache holds", "", ByteSize.Text(Shared.ResidentBytes));
        table.AddRow("and for metadata", "", ByteSize.Text(Shared.MetadataBytes));
        table.AddRow("read from the disk", "", ByteSize.Text(Shared.DeviceBytes));
        table.AddRow("time", $"{Kernel.Time.TotalSeconds:0.0} s", $"{Shared.Time.TotalSeconds:0.0} s");
        console.WriteLine();
        console.Write(table);

        double ratio = Kernel.CachedBytes / (double)Math.Max(1, Shared.ResidentBytes + Shared.KernelBytes);
        console.MarkupLine($"  memory for pages, plain reads : SharedPageCache   [bold]{ratio:0.0} : 1[/]");
        console.MarkupLine("  the kernel's cache is counted file by file with cachestat(2) (mincore(2) before Linux 6.5)");
        console.MarkupLine(
            Verified
                ? $"  [green]verified[/]: all {Files:n0} files have the SHA-256 of the image, both ways"
                : "  [red]NOT verified[/]: a file is not what it must be");
        if (Writing is { } writing)
        {
            console.MarkupLine(
                $"  written: {writing.PagesWritten:n0} pages to {writing.Files:n0} files, half of them cloned dirty, in {writing.Time.TotalSeconds:0.0} s; "
                + $"{writing.ReadAgain:n0} read again; plain reads found {(writing.Verified ? "[green]what was written[/]" : "[red]something else[/]")}");
        }

        console.WriteLine();
    }
}
