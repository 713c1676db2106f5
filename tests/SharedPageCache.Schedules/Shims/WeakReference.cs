using System.Diagnostics.CodeAnalysis;

// In the core's own namespace, where it goes before System's: only the Mappings room uses weak references across threads.
namespace SharedPageCache.Mappings;

/// <summary>
/// A weak reference that keeps its target: when the collector runs is no choice of the scheduler, and a replay must be exact.
/// </summary>
internal sealed class WeakReference<T>(T target)
    where T : class
{
    public bool TryGetTarget([NotNullWhen(true)] out T? found)
    {
        found = target;
        return true;
    }
}
