namespace SharedPageCache.Measures.Peers;

/// <summary>All peers that can do a workload, open, in the order of the list: the bound first and this cache second.</summary>
public sealed class OpenPeers : IDisposable
{
    private readonly List<(string Name, IPeerCache Cache)> _caches = [];

    /// <param name="assemblies">Paths of assemblies with further peers.</param>
    /// <param name="workload">The workload.</param>
    /// <param name="fill">What is done with each before the clock runs.</param>
    public OpenPeers(IEnumerable<string> assemblies, PeerWorkload workload, Action<IPeerCache> fill)
    {
        try
        {
            foreach (var peer in PeerList.Of(assemblies))
            {
                if (peer.TryOpen(workload) is { } cache)
                {
                    _caches.Add((peer.Name, cache));
                    fill(cache);
                }
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The caches with their names.</summary>
    public IReadOnlyList<(string Name, IPeerCache Cache)> All => _caches;

    /// <inheritdoc/>
    public void Dispose() => _caches.ForEach(static peer => peer.Cache.Dispose());
}
