namespace SharedPageCache;

/// <summary>The eviction policies that can be chosen.</summary>
public enum EvictionPolicy
{
    /// <summary>
    /// W-TinyLFU (Einziger, Friedman, Manes, ACM ToS 2017) over CLOCK: pages stay that are asked for most often, newcomers
    /// prove themselves in a window whose size is tuned by miniature simulations.
    /// </summary>
    WindowTinyLfu,

    /// <summary>S3-FIFO (Yang et al., SOSP 2023): scan-resistant; a small queue for newcomers, a main queue, a ghost queue.</summary>
    S3Fifo,

    /// <summary>CLOCK (Corbató, 1968): one ring and use bits; the least bookkeeping.</summary>
    Clock,

    /// <summary>
    /// LRU over buffered hits: what was used least recently goes first. Exact while a thread makes no more than 1,022 hits between two misses
    /// (fewer in a cache of less than 8,192 pages); beyond that the order of the hits is CLOCK's.
    /// </summary>
    Lru,

    /// <summary>SIEVE (Zhang et al., NSDI 2024): CLOCK whose used pages stay where they are; good where popularity is skewed.</summary>
    Sieve,
}
