using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>A page that is in a frame, and not in the tree of the file that reads it.</summary>
internal static class FaultBars
{
    private const string Section = "Faults";

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        // A stranger whose windows differ from the file's by one page shares blocks, not leaves.
        var bytes = arguments.LargeBytes / 4;
        var pages = (int)(bytes >> 12);
        using var stage = new Stage(bytes);
        var extents = new StraightExtents(4096, bytes - 4096);
        MappedFile? stranger = null;
        var buffer = new byte[8];
        var hits = new ReadOrder(bytes, 8, 2000);

        // One batch faults a window of 512 pages, all but the first, by which the window was mapped.
        var batch = 0;
        var windows = (pages - 1) / 512;
        var lane = new Lane("minor fault", 511, _ =>
        {
            var first = (long)(batch++ % windows) << 9;
            for (var page = first + 1; page < first + 512; page++)
            {
                stranger!.Read(page << 12, buffer);
            }
        }, () =>
        {
            if (batch % windows == 0)
            {
                stranger?.Dispose();
                stranger = stage.Volume.OpenFile(extents, bytes - 4096);
                // Another window's leaf would be found again in the index, its pages installed.
                extents = new StraightExtents(4096, bytes - 4096);
                stage.Volume.Discard(new BlockRun(0, bytes));
                Reload(stage.File, bytes);
            }

            stranger!.Read((long)(batch % windows) << 21, buffer);
        });
        var rounds = Interleaved.Run(arguments.Budget, hits.Lane("TryRead, 8 B, random", new TryReads(stage.File)), lane);
        yield return new Figure(Section, "minor fault and read of 8 B", "SharedPageCache", rounds.Nanoseconds(1), "ns", new Bar(150));

        var before = GC.GetAllocatedBytesForCurrentThread();
        lane.Prepare!();
        var prepared = GC.GetAllocatedBytesForCurrentThread() - before;
        lane.Batch(0);
        yield return new Figure(
            Section, "allocated by a minor fault, a page of two files", "SharedPageCache",
            (double)(GC.GetAllocatedBytesForCurrentThread() - before - prepared) / 511, "B");
        stranger?.Dispose();
    }

    private static void Reload(MappedFile file, long bytes)
    {
        var buffer = new byte[1 << 20];
        for (long offset = 0; offset < bytes; offset += buffer.Length)
        {
            file.Read(offset, buffer);
        }
    }
}
