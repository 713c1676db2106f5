namespace SharedPageCache.Faults;

/// <summary>What a write waits for before it can go on.</summary>
internal enum WriteNeed
{
    /// <summary>Nothing: the write is done.</summary>
    Done,

    /// <summary>Another writer has the page.</summary>
    Mark,

    /// <summary>The engine must be asked where the page is.</summary>
    Leaf,

    /// <summary>The page must be read: it is written in part.</summary>
    Source,

    /// <summary>Room for one more dirty page of the volume: its device must take some first.</summary>
    Room,

    /// <summary>A frame.</summary>
    Frame,

    /// <summary>The engine must be told that pages will stop being shared.</summary>
    Unshare,

    /// <summary>The file has become shorter than the write.</summary>
    Length,
}
