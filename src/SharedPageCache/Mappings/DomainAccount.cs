using SharedPageCache.Concurrency;
using SharedPageCache.Frames;

namespace SharedPageCache.Mappings;

/// <summary>One security domain on one volume: whose frames its files get, and what its files have done.</summary>
/// <remarks>
/// Everything that is counted here is an act of the domain's own files; nothing of it depends on what is in memory because
/// of others. That is why first uses are counted, and not faults.
/// </remarks>
internal sealed class DomainAccount(SecurityDomain domain, FrameOwner owner)
{
    /// <summary>As booked for the memory limit: this object, its counters, its place in the volume's list.</summary>
    public static readonly int Bytes = 128 + 2 * StripedCounter.Bytes;

    private int _openFiles;

    public SecurityDomain Domain { get; } = domain;

    public FrameOwner Owner { get; } = owner;

    public int OpenFiles => Atomic.LoadAcquire(ref _openFiles);

    /// <summary>Pages that files of the domain have used for the first time.</summary>
    public StripedCounter FirstUses { get; } = new();

    /// <summary>Times that a file of the domain was told that a page cannot be read.</summary>
    public StripedCounter LoadFailures { get; } = new();

    public void AddFile() => Atomic.Increment(ref _openFiles);

    public void RemoveFile() => Atomic.Decrement(ref _openFiles);
}
