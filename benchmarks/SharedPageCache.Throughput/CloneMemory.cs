using SharedPageCache.Measures;
using SharedPageCache.Measures.Peers;

namespace SharedPageCache.Throughput;

/// <summary>Memory of caches that hold all of so many clones, each read in full.</summary>
internal static class CloneMemory
{
    public static IEnumerable<Figure> Measure(HouseArguments arguments)
    {
        var bytes = arguments.Quick ? 1L << 20 : 4L << 20;
        using var scratch = new ScratchFile(arguments.Scratch, bytes);
        foreach (var clones in (int[])[1, 2, 5, 10, 20, 50, 100, 200])
        {
            foreach (var peer in PeerList.Of(arguments.Peers))
            {
                using var cache = peer.TryOpen(new PeerWorkload(scratch.Path, bytes, clones, (bytes * clones * 9 / 8) + (16 << 20)));
                if (cache is null || peer is RawCopyPeer)
                {
                    continue;
                }

                for (var file = 0; file < clones; file++)
                {
                    PeerLane.Fill(cache, bytes, writes: false, file);
                }

                if (cache.MemoryBytes > 0)
                {
                    yield return new Figure(
                        "Memory of clones", $"{clones} clones of {bytes >> 20} MiB, read in full", peer.Name, cache.MemoryBytes / 1048576.0, "MiB");
                }
            }
        }
    }
}
