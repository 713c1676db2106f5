namespace SharedPageCache;

/// <summary>A range of one file that is to be shared into another.</summary>
/// <param name="SourceOffset">First byte in the source.</param>
/// <param name="DestinationOffset">First byte in the destination.</param>
/// <param name="Length">Length in bytes.</param>
public readonly record struct SharedRange(long SourceOffset, long DestinationOffset, long Length);
