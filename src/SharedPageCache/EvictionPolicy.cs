namespace SharedPageCache;

/// <summary>The eviction policies that can be chosen.</summary>
public enum EvictionPolicy
{
    /// <summary>S3-FIFO (Yang et al., SOSP 2023): scan-resistant; a small queue for newcomers, a main queue, a ghost queue.</summary>
    S3Fifo,

    /// <summary>CLOCK (Corbató, 1968): one ring and use bits; the least bookkeeping.</summary>
    Clock,
}
