namespace SharedPageCache.TestKit.Devices;

/// <summary>Kinds of calls of a device.</summary>
[Flags]
public enum DeviceCalls
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Reads, synchronous or not.</summary>
    Read = 1,

    /// <summary>Writes.</summary>
    Write = 2,

    /// <summary>Flushes.</summary>
    Flush = 4,

    /// <summary>All of them.</summary>
    All = Read | Write | Flush,
}
