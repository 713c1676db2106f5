namespace SharedPageCache;

/// <summary>What a cache in checked mode has found.</summary>
public enum CacheMisuseKind
{
    /// <summary>
    /// The bytes of a frame that holds no page have changed: somebody writes through memory of a lease that has ended, or a
    /// device to a buffer whose read has completed.
    /// </summary>
    WriteAfterFree,

    /// <summary>
    /// The bytes of a page have changed which nobody may change: one that is as on the device, that is being written back,
    /// or that is leased.
    /// </summary>
    FrozenPageChanged,

    /// <summary>A frame came free with a field of its last page still set: a bug of the cache.</summary>
    StaleDescriptor,

    /// <summary>A lease was given back a second time, by a copy of the struct. The second time did nothing.</summary>
    ReleasedTwice,

    /// <summary>A copy of a lease's struct was used after the lease had ended.</summary>
    UsedAfterRelease,

    /// <summary>A lease was collected without having been disposed; its page was given back.</summary>
    Leaked,
}
