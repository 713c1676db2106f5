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
        using var scratch = new ScratchFile(arguments.Scratch, bytes);
        scratch.Settle();
        var workload = new PeerWorkload(scratch.Path, bytes, 1, bytes + (bytes / 8) + (16 << 20));
        var caches = new List<(string Name, IPeerCache Cache)>();
        try
        {
            var page = new byte[PeerWorkload.PageSize];
            foreach (var peer in PeerList.Of(arguments.Peers))
            {
                if (peer.TryOpen(workload) is { } cache)
                {
                    caches.Add((peer.Name, cache));
                    for (long offset = 0; offset < bytes * 2; offset += page.Length)
                    {
                        cache.Read(0, offset % bytes, page);
                    }
                }
            }

            foreach (var size in (int[])[8, 64, 512, 4096])
            {
                var order = new ReadOrder(bytes, size, size < 4096 ? 2000 : 600);
                var rounds = Interleaved.Run(arguments.Budget, [.. caches.Select(peer => order.Lane(peer.Name, new PeerReads(peer.Cache)))]);
                for (var i = 0; i < caches.Count; i++)
                {
                    yield return new Figure(
                        Section, $"{size} B, random over {bytes >> 20} MiB", caches[i].Name, rounds.Nanoseconds(i), "ns", null,
                        FormattableString.Invariant($"{rounds.Ratio(i, 0):0.00} x of the first, {rounds.Rounds.Kept} of {rounds.Rounds.All} rounds"));
                }
            }
        }
        finally
        {
            caches.ForEach(static peer => peer.Cache.Dispose());
        }
    }

    private readonly struct PeerReads(IPeerCache cache) : IReads
    {
        public void Read(long offset, Span<byte> destination) => cache.Read(0, offset, destination);
    }
}
