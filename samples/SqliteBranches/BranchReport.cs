using System.Globalization;
using Spectre.Console;

namespace SharedPageCache.Samples.SqliteBranches;

/// <summary>The tables at the end.</summary>
internal static class BranchReport
{
    public static void Print(IAnsiConsole console, BranchFigures figures)
    {
        console.WriteLine();
        Table cost = New("", "branch", "copy of the file", "VACUUM INTO");
        cost.AddRow("one branch", Time(figures.BranchMicroseconds), Time(figures.CopyMilliseconds * 1000), Time(figures.VacuumIntoMilliseconds * 1000));
        if (figures.ReflinkMicroseconds is { } reflink && figures.CallMicroseconds is { } call)
        {
            cost.AddRow("of that the system call", Time(call), "-", "-");
            cost.AddRow("and all else", Time(figures.AboveCallMicroseconds ?? 0), "-", "-");
            cost.AddRow("that in the mean", Time(figures.MeanAboveCallMicroseconds ?? 0), "-", "-");
            cost.AddRow("a bare reflink", Time(reflink), "-", "-");
            cost.AddRow("all but its system call", Time(figures.ReflinkAboveCallMicroseconds ?? 0), "-", "-");
        }

        cost.AddRow($"all {figures.Branches:n0} made durable", Time(figures.FlushMilliseconds * 1000), "-", "-");
        console.Write(cost);

        Table memory = New($"{figures.Branches:n0} branches, read in full", "this cache", "ordinary connections", "reflinks");
        memory.AddRow("pages in memory", Size(figures.ResidentBytes), "-", figures.KernelReflinkBytes is { } kernel ? Size(kernel) : "(needs --dir)");
        memory.AddRow("distinct pages", Size(figures.DistinctBytes), "-", "-");
        memory.AddRow("SQLite's own memory", Size(figures.ConnectionBytes), Size(figures.OrdinaryBytes), Size(figures.OrdinaryBytes));
        memory.AddRow("blocks read from the device", $"{figures.DeviceBlocksRead:n0}", "-", "-");
        console.Write(memory);

        Table speed = New("one thread", "branch", "SQLite's own VFS", "with mmap");
        speed.AddRow("queries by row id a second", Count(figures.QueriesPerSecond), Count(figures.UnixQueriesPerSecond), Count(figures.UnixMappedQueriesPerSecond));
        speed.AddRow("the same in one transaction", Count(figures.QueriesInTransaction), Count(figures.UnixQueriesInTransaction), Count(figures.UnixMappedQueriesInTransaction));
        speed.AddRow("rows inserted a second", Count(figures.InsertsPerSecond), Count(figures.UnixInsertsPerSecond), "-");
        console.Write(speed);
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"read {figures.Branches:n0} branches in {figures.ReadSeconds:n1} s, wrote {figures.BranchesWritten:n0} in {figures.WriteSeconds:n1} s; {(figures.IntegrityOk ? "all databases are as they should be" : "SOMETHING IS WRONG")}"));
    }

    private static Table New(params string[] columns)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(Markup.Escape(column)) { Alignment = table.Columns.Count == 0 ? Justify.Left : Justify.Right });
        return table;
    }

    private static string Time(double microseconds) => microseconds switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{microseconds:n1} us"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1_000:n0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1_000_000:n1} s"),
    };

    private static string Size(long bytes) => bytes switch
    {
        < 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):n1} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):n1} GiB"),
    };

    private static string Count(double number) => string.Create(CultureInfo.InvariantCulture, $"{number:n0}");
}
