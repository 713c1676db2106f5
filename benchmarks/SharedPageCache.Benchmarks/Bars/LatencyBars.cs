using SharedPageCache.Measures;
using SharedPageCache.Measures.Files;
using SharedPageCache.Measures.Peers;

namespace SharedPageCache.Benchmarks.Bars;

/// <summary>Hits by size: every peer that holds the whole file, in the same rounds.</summary>
internal static class LatencyBars
{
    public const string Section = "Hit latency by size";

    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        var bytes = arguments.LargeBytes / 2;
        using var scratch = ScratchFile.OnDisk(arguments.Scratch, bytes);
        var workload = PeerWorkload.ThatFits(scratch.Path, bytes);
        using var peers = new OpenPeers(arguments.Peers, workload, cache => Fill(cache, bytes));
        foreach (var size in (int[])[8, 64, 512, 4096])
        {
            var order = new ReadOrder(bytes, size, size < 4096 ? 2000 : 600);
            var rounds = Interleaved.Run(arguments.Budget, [.. peers.All.Select(peer => order.Lane(peer.Name, new PeerReads(peer.Cache)))]);
            for (var i = 0; i < peers.All.Count; i++)
            {
                yield return new Figure(
                    Section, $"{size} B, random over {bytes >> 20} MiB", peers.All[i].Name, rounds.Nanoseconds(i), "ns", null,
                    FormattableString.Invariant($"{rounds.Ratio(i, 0):0.00} x of the first, {rounds.Rounds.Kept} of {rounds.Rounds.All} rounds"));
            }
        }
    }

    /// <summary>Each page twice: the first brings it in.</summary>
    private static void Fill(IPeerCache cache, long bytes)
    {
        var page = new byte[PeerWorkload.PageSize];
        for (long offset = 0; offset < bytes * 2; offset += page.Length)
        {
            cache.Read(0, offset % bytes, page);
        }
    }

    private readonly struct PeerReads(IPeerCache cache) : IReads
    {
        public void Read(long offset, Span<byte> destination) => cache.Read(0, offset, destination);
    }
}
