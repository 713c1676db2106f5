using SharedPageCache.Concurrency;
using SharedPageCache.Mappings;

namespace SharedPageCache.Eviction;

/// <summary>
/// Nodes are booked until the garbage collector has found them unreachable: here it is told to look, when somebody would be refused for want
/// of memory and it may be worth the pause of the whole process.
/// </summary>
/// <remarks>
/// It is worth it if much has come since the last look, or if something was let go since: then nobody is refused for what is garbage. Only where
/// looks bring little (a cache that is full of open files, of which now and then one is closed) they take about a tenth of the time, unless a
/// good part of the files was closed since. The figures of the last look are plain estimates, stored one by one with release: who reads half of them looks
/// once too often, or is refused in the moment after a look.
/// </remarks>
/// <param name="ledger">The books.</param>
/// <param name="openFiles">How many files are open.</param>
/// <param name="little">Bytes that are no reason to look.</param>
/// <param name="time">The clock.</param>
/// <param name="collect">Collects garbage: what nobody reaches is off the books when it returns.</param>
internal sealed class NodeGarbage(NodeLedger ledger, Func<long> openFiles, long little, TimeProvider time, Action collect)
{
    /// <summary>How long looks that brought little rest, in parts of the time that the last one took (a second at most is counted).</summary>
    private const int Rest = 9;

    private long _letGo;
    private long _bytes;
    private long _freed = long.MaxValue;
    private long _ended;
    private long _took;

    /// <summary>The process's own collector, and the finalizers of tickets.</summary>
    public static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    /// <summary>Has the collector look, if that may bring something.</summary>
    /// <returns>Whether it has looked.</returns>
    public bool TryCollect()
    {
        var (letGo, bytes) = (ledger.LetGo, ledger.NodeBytes);
        if (bytes - Atomic.LoadAcquire(ref _bytes) < little && !IsWorthwhile(letGo - Atomic.LoadAcquire(ref _letGo)))
        {
            return false;
        }

        var begun = time.GetTimestamp();
        collect();
        var (left, ended) = (ledger.NodeBytes, time.GetTimestamp());
        Atomic.StoreRelease(ref _letGo, letGo);
        Atomic.StoreRelease(ref _bytes, left);
        Atomic.StoreRelease(ref _freed, bytes - left);
        Atomic.StoreRelease(ref _took, Math.Min(ended - begun, time.TimestampFrequency));
        Atomic.StoreRelease(ref _ended, ended);
        return true;
    }

    /// <param name="letGo">How often something was let go since the last look.</param>
    private bool IsWorthwhile(long letGo) =>
        letGo > 0
        && (Atomic.LoadAcquire(ref _freed) >= little
            || letGo >= openFiles() / 8
            || time.GetTimestamp() - Atomic.LoadAcquire(ref _ended) >= Rest * Atomic.LoadAcquire(ref _took));
}
