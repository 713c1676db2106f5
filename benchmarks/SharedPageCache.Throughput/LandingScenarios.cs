using SharedPageCache.Measures;
using SharedPageCache.Measures.Peers;

namespace SharedPageCache.Throughput;

/// <summary>All cores read, and the scenario is where the read lands; all peers in the same rounds.</summary>
internal static class LandingScenarios
{
    private const string Section = "Where the read lands";

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        var bytes = arguments.LargeBytes / 4;
        using var scratch = ScratchFile.OnDisk(arguments.Scratch, bytes);
        var fits = PeerWorkload.ThatFits(scratch.Path, bytes);
        var writable = fits with { Writes = true };
        (string What, PeerWorkload Workload, Pattern Pattern)[] scenarios =
        [
            ("all hits, uniform", fits, Pattern.Uniform(bytes)),
            ("all hits, Zipf", fits, Pattern.Zipf(bytes)),
            ("all hits, the same page by all", fits, Pattern.OnePage()),
            ("all hits, Zipf, 95 read / 5 write", writable, Pattern.Zipf(bytes, 0.05)),
            ("all hits, Zipf, 50 read / 50 write", writable, Pattern.Zipf(bytes, 0.5)),
            ("cache of half the file, uniform", fits with { CacheBytes = bytes / 2 }, Pattern.Uniform(bytes)),
            ("cache of half the file, Zipf", fits with { CacheBytes = bytes / 2 }, Pattern.Zipf(bytes)),
            ("cache of a 32nd of the file, uniform: misses", fits with { CacheBytes = bytes / 32 }, Pattern.Uniform(bytes)),
        ];

        // Here, and not by whoever asks for them: the file is there as long as the figures are being made.
        foreach (var (what, workload, pattern) in scenarios)
        {
            foreach (var figure in Compare(arguments, workload, what, pattern))
            {
                yield return figure;
            }
        }
    }

    private static IEnumerable<Figure> Compare(HouseArguments arguments, PeerWorkload workload, string what, Pattern pattern)
    {
        var threads = Environment.ProcessorCount;
        using var crew = new Crew(threads);
        using var peers = new OpenPeers(arguments.Peers, workload, cache => PeerLane.Fill(cache, workload.FileBytes, workload.Writes));
        var rounds = Interleaved.Run(
            arguments.Budget * 2, [.. peers.All.Select(peer => PeerLane.Of(peer.Name, peer.Cache, pattern, crew, workload.Fits ? 500 : 200))]);
        var us = peers.All.Select(static peer => peer.Name).ToList().IndexOf("SharedPageCache");
        for (var i = 0; i < peers.All.Count; i++)
        {
            yield return new Figure(
                Section, $"{what}; {threads} threads", peers.All[i].Name, 1000 / rounds.Nanoseconds(i), "M/s", null,
                FormattableString.Invariant($"{rounds.Ratio(us, i):0.00} x of SharedPageCache's, {rounds.Rounds.Kept} of {rounds.Rounds.All} rounds"));
        }
    }
}
