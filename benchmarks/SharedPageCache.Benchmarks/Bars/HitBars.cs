using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>Reads of pages that are in memory, beside a raw copy and the system's page cache.</summary>
internal static class HitBars
{
    private const string Section = "Reads that hit";
    private const string Ours = "SharedPageCache";

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        var bytes = arguments.LargeBytes;
        using var raw = new RawCopy((int)(bytes >> 12), 4096);
        using var stage = new Stage(bytes);
        using var deep = CloneOfClones(stage.File, 100);
        using var scratch = ScratchFile.OnDisk(arguments.Scratch, bytes);
        using var system = File.OpenHandle(scratch.Path, options: FileOptions.RandomAccess);
        var size = $"{bytes >> 20} MiB";

        yield return new Figure(
            Section, "memory in huge pages", "both arenas = 1", (double)Machine.HugePageBytes() / (2 * bytes), "x", null,
            FormattableString.Invariant($"{Machine.HugePageBytes() >> 20} MiB of the process; the raw copy's pages and the cache's take {bytes >> 20} MiB each"));
        foreach (var figure in FullPages($"4 KiB, random over {size}", bytes, new Bar(1.10), new Bar(2.3, IsLeast: true)))
        {
            yield return figure;
        }

        foreach (var figure in FullPages("4 KiB, hot set of 8 MiB", 8 << 20, new Bar(1.25), new Bar(4, IsLeast: true)))
        {
            yield return figure;
        }

        yield return Part("64 B, random over " + size, 64, bytes, 4000, null);
        yield return Part("8 B, random over " + size, 8, bytes, 4000, new Bar(2.6));
        yield return Part("8 B, hot set of 512 KiB", 8, 512 << 10, 20_000, new Bar(2.0));
        yield return Long("64 KiB, random over " + size, 64 << 10, bytes, 60);
        yield return Long("1 MiB, random over " + size, 1 << 20, bytes, 4);
        yield return Allocation(stage.File);
        yield return Lease(arguments, stage.File);

        IEnumerable<Figure> FullPages(string what, long range, Bar bar, Bar kernelBar)
        {
            var order = new ReadOrder(range, 4096, 800);
            var rounds = Interleaved.Run(
                arguments.Budget * 2,
                order.Lane("raw copy", new RawReads(raw)), order.Lane("TryRead", new TryReads(stage.File)),
                order.AsyncLane("ReadAsync", stage.File), order.Lane("clone of clones", new TryReads(deep)),
                order.Lane("RandomAccess.Read", new SystemReads(system)));
            yield return Ratio(rounds, 1, 0, $"TryRead of {what}", "raw copy", bar);
            yield return Times(rounds, 4, 1, $"TryRead of {what}", "RandomAccess.Read", kernelBar);
            yield return Ratio(rounds, 2, 1, $"ReadAsync of {what}", "TryRead", new Bar(1.15));
            yield return Ratio(rounds, 3, 1, $"through 100 clones of clones, {what}", "the origin", new Bar(1.02));
        }

        Figure Part(string what, int size, long range, int batch, Bar? bar)
        {
            var order = new ReadOrder(range, size, batch);
            var rounds = Interleaved.Run(
                arguments.Budget, order.Lane("raw copy", new RawReads(raw)), order.Lane("TryRead", new TryReads(stage.File)));
            return Ratio(rounds, 1, 0, $"TryRead of {what}", "raw copy", bar);
        }

        Figure Long(string what, int size, long range, int batch)
        {
            var order = new ReadOrder(range, size, batch);
            var rounds = Interleaved.Run(
                arguments.Budget, order.Lane("raw copy", new RawPageReads(raw)), order.Lane("Read", new SyncReads(stage.File)));
            return Ratio(rounds, 1, 0, $"Read of {what}", "raw copy, page by page", new Bar(1.0));
        }
    }

    /// <summary>How many times the time of another thing.</summary>
    public static Figure Ratio(Interleaved rounds, int lane, int to, string what, string reference, Bar? bar, string section = Section) =>
        new(section, what, $"time, {reference} = 1", rounds.Ratio(lane, to), "x", bar, Detail(rounds, lane, to));

    /// <summary>How many times as fast as another thing.</summary>
    public static Figure Times(Interleaved rounds, int lane, int than, string what, string reference, Bar? bar) =>
        new(Section, what, $"speed, {reference} = 1", rounds.Ratio(lane, than), "x", bar, Detail(rounds, than, lane));

    public static string Detail(Interleaved rounds, int lane, int to) =>
        FormattableString.Invariant($"{rounds.Nanoseconds(lane):0.0} ns, {rounds.Nanoseconds(to):0.0} ns; {rounds.Rounds.Kept} of {rounds.Rounds.All} rounds");

    public static MappedFile CloneOfClones(MappedFile file, int depth)
    {
        var clone = file.Clone();
        for (var i = 1; i < depth; i++)
        {
            var next = clone.Clone();
            clone.Dispose();
            clone = next;
        }

        // The first use of a page by a file is noted, once: done before it is timed.
        var buffer = new byte[1 << 20];
        for (long offset = 0; offset < clone.Length; offset += buffer.Length)
        {
            clone.Read(offset, buffer);
        }

        return clone;
    }

    private static Figure Allocation(MappedFile file)
    {
        var buffer = new byte[4096];
        var waited = false;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            file.TryRead(i << 12, buffer, out _);
            var read = file.ReadAsync(i << 12, buffer);
            waited |= !read.IsCompletedSuccessfully;
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return waited
            ? throw new InvalidOperationException("A read that should be a hit waits.")
            : new Figure(Section, "allocated by 1,000 TryRead and 1,000 ReadAsync", Ours, allocated, "B", new Bar(0));
    }

    private static Figure Lease(HouseArguments arguments, MappedFile file)
    {
        var rounds = Interleaved.Run(arguments.Budget, new Lane("lease", 20_000, _ =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                file.TryPin(4096, out var lease);
                lease.Dispose();
            }
        }));
        return new Figure(Section, "lease of a hot page, taken and given back", Ours, rounds.Nanoseconds(0), "ns", new Bar(12));
    }
}
