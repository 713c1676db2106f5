using System.Reflection;

namespace SharedPageCache.Measures.Peers;

/// <summary>The peers of a run: those in the box, and those of assemblies that the command line names.</summary>
public static class PeerList
{
    /// <summary>The peers, the bound first and this cache second.</summary>
    /// <param name="assemblies">Paths of assemblies with further implementations of <see cref="IPeer"/>.</param>
    public static IReadOnlyList<IPeer> Of(IEnumerable<string> assemblies) =>
    [
        new RawCopyPeer(), new SharedPageCachePeer(), new KernelPageCachePeer(), new MemoryMapPeer(), new PerFileLruPeer(),
        new MemoryCachePeer(), .. assemblies.SelectMany(Load),
    ];

    private static IEnumerable<IPeer> Load(string path)
    {
        var found = Assembly.LoadFrom(Path.GetFullPath(path)).GetExportedTypes()
            .Where(static type => type is { IsAbstract: false, IsClass: true } && type.IsAssignableTo(typeof(IPeer)))
            .Select(static type => (IPeer)Activator.CreateInstance(type)!).ToList();
        return found.Count > 0 ? found : throw new ArgumentException($"{path} has no public class that implements {nameof(IPeer)}.");
    }
}
