using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>Reads of a whole page, for each page size, beside a copy of the same size.</summary>
internal static class SizeBars
{
    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        for (var pageSize = 512; pageSize <= 65536; pageSize *= 2)
        {
            var bytes = arguments.LargeBytes / 8;
            using var raw = new RawCopy((int)(bytes / pageSize), pageSize);
            using var stage = new Stage(bytes, pageSize);
            var order = new ReadOrder(bytes, pageSize, Math.Clamp(3 << 20, 40, (3 << 20) / pageSize));
            var rounds = Interleaved.Run(
                arguments.Budget, order.Lane("raw copy", new RawReads(raw)), order.Lane("TryRead", new TryReads(stage.File)));
            yield return HitBars.Ratio(
                rounds, 1, 0, $"TryRead of a page of {pageSize:N0} B, random over {bytes >> 20} MiB", "raw copy", new Bar(1.15), "Page sizes");
        }
    }
}
