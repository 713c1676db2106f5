using System.Globalization;

namespace SharedPageCache.HitRate;

/// <summary>reference.tsv: hit ratios of other implementations, one row for each trace and cache size.</summary>
internal static class ReferenceTable
{
    private const string OptimumColumn = "belady";

    /// <summary>Columns before the first ratio: trace, requests, pages, fraction, cache_pages.</summary>
    private const int KeyColumns = 5;

    public static List<ReferenceRow> Read(string folder)
    {
        string[] lines = File.ReadAllLines(Path.Combine(folder, "reference.tsv"));
        string[] columns = lines[0].Split('\t');
        List<ReferenceRow> rows = [];
        foreach (string line in lines.Skip(1).Where(line => line.Length > 0))
        {
            string[] cells = line.Split('\t');
            if (cells.Length != columns.Length)
            {
                throw new InvalidDataException(
                    $"reference.tsv has {columns.Length} columns, but a row has {cells.Length}: {line}");
            }

            Dictionary<string, double> ratios = Enumerable.Range(KeyColumns, columns.Length - KeyColumns)
                .ToDictionary(i => columns[i], i => double.Parse(cells[i], CultureInfo.InvariantCulture));
            double best = ratios.Where(ratio => ratio.Key != OptimumColumn).Max(ratio => ratio.Value);
            rows.Add(new ReferenceRow(cells[0], int.Parse(cells[4], CultureInfo.InvariantCulture), ratios, best, ratios[OptimumColumn]));
        }

        return rows;
    }
}
