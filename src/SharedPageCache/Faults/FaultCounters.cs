using SharedPageCache.Concurrency;

namespace SharedPageCache.Faults;

/// <summary>What the statistics say about faults and loads.</summary>
internal sealed class FaultCounters
{
    public StripedCounter MinorFaults { get; } = new();

    public StripedCounter MajorFaults { get; } = new();

    public StripedCounter LoadsCoalesced { get; } = new();

    public StripedCounter Misses { get; } = new();

    public StripedCounter LoadFailures { get; } = new();

    public StripedCounter DeviceReads { get; } = new();

    public StripedCounter DevicePagesRead { get; } = new();

    public StripedCounter ReadsAround { get; } = new();

    public StripedCounter PagesReadAhead { get; } = new();

    public StripedCounter PagesDiscarded { get; } = new();

    public StripedCounter LeakedLeases { get; } = new();
}
