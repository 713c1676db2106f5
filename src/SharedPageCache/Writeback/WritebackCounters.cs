using SharedPageCache.Concurrency;

namespace SharedPageCache.Writeback;

/// <summary>What the statistics say about writing.</summary>
internal sealed class WritebackCounters
{
    /// <summary>Pages written to devices.</summary>
    public StripedCounter PagesWritten { get; } = new();

    /// <summary>Write calls of devices.</summary>
    public StripedCounter DeviceWrites { get; } = new();

    /// <summary>Runs published.</summary>
    public StripedCounter RunsPublished { get; } = new();

    /// <summary>Pages whose write-back failed; each try counts.</summary>
    public StripedCounter PagesFailed { get; } = new();

    /// <summary>Pages copied because a clone, a lease or a write-back needs the old one.</summary>
    public StripedCounter PagesCopied { get; } = new();

    /// <summary>Clean pages that were written without a copy, because nobody else showed them.</summary>
    public StripedCounter PagesTakenOver { get; } = new();

    /// <summary>Writes that were slowed because much was dirty.</summary>
    public StripedCounter WritesThrottled { get; } = new();

    /// <summary>A number that moves with everything that the write side does.</summary>
    public StripedCounter Activity { get; } = new();
}
