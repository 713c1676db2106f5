namespace SharedPageCache;

/// <summary>The ways in which a page is leased.</summary>
public enum LeaseKind
{
    /// <summary>A page on the stack: <c>TryPin</c>.</summary>
    Stack,

    /// <summary>A page as memory: <c>PinAsync</c>, <c>PinRangeAsync</c>, a pipe reader.</summary>
    Memory,

    /// <summary>A page as a plain value: <c>TryKeep</c>.</summary>
    Kept,

    /// <summary>A page for writing: <c>LeaseForWriteAsync</c>, <c>TryLeaseForWrite</c>.</summary>
    Write,
}
