using SharedPageCache.Measures;
using SharedPageCache.Measures.Peers;

namespace SharedPageCache.Throughput;

/// <summary>The same reads by 1, 2, 4 ... threads: how much more they do together, beside a raw copy's own scaling in the same rounds.</summary>
internal static class ThreadScenarios
{
    private const string Section = "Threads";

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        var bytes = arguments.LargeBytes / 2;
        using var scratch = ScratchFile.OnDisk(arguments.Scratch, bytes);
        var workload = PeerWorkload.ThatFits(scratch.Path, bytes);
        foreach (var figure in Scale(arguments, workload, "4 KiB, uniform", Pattern.Uniform(bytes), 500, ofRaw: 0.95)
            .Concat(Scale(arguments, workload, "4 KiB, Zipf", Pattern.Zipf(bytes), 800, null))
            .Concat(Scale(arguments, workload, "4 KiB, the same page by all", Pattern.OnePage(), 30_000, null, own: 1.85))
            .Concat(Scale(arguments, workload with { Writes = true }, "4 KiB, half of them writes to private pages", Pattern.Uniform(bytes, 0.5), 500, ofRaw: 0.9)))
        {
            yield return figure;
        }
    }

    private static IEnumerable<Figure> Scale(
        HouseArguments arguments, PeerWorkload workload, string what, Pattern pattern, int operations, double? ofRaw, double? own = null)
    {
        using var raw = new RawCopyPeer().TryOpen(workload)!;
        using var ours = new SharedPageCachePeer().TryOpen(workload);
        PeerLane.Fill(raw, workload.FileBytes, workload.Writes);
        PeerLane.Fill(ours, workload.FileBytes, workload.Writes);
        using var one = new Crew(1);
        for (var threads = 1; threads <= Environment.ProcessorCount; threads *= 2)
        {
            using var crew = new Crew(threads);
            var rounds = Interleaved.Run(
                arguments.Budget * 1.5,
                PeerLane.Of("raw 1", raw, pattern, one, operations), PeerLane.Of("raw n", raw, pattern, crew, operations),
                PeerLane.Of("ours 1", ours, pattern, one, operations), PeerLane.Of("ours n", ours, pattern, crew, operations));
            var name = $"{what}, {threads} {(threads == 1 ? "thread" : "threads")}";
            yield return new Figure(Section, name, "raw copy", 1000 / rounds.Nanoseconds(1), "M/s");
            yield return new Figure(Section, name, "SharedPageCache", 1000 / rounds.Nanoseconds(3), "M/s");
            if (threads > 1)
            {
                var two = threads == 2;
                yield return new Figure(
                    Section, name, "as many times as by 1 thread", rounds.Of(static time => time(2) / time(3)), "x", own is { } least && two ? new Bar(least, IsLeast: true) : null);
                yield return new Figure(
                    Section, name, "scaling, raw copy's = 1", rounds.Of(static time => time(2) / time(3) / (time(0) / time(1))), "x",
                    ofRaw is { } limit && two ? new Bar(limit, IsLeast: true) : null, $"{rounds.Rounds.Kept} of {rounds.Rounds.All} rounds");
            }
        }
    }
}
