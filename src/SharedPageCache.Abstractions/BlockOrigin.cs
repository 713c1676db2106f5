namespace SharedPageCache;

/// <summary>The file and the place in it that a device read or write is for.</summary>
/// <param name="File">The engine's own object for the file.</param>
/// <param name="FileOffset">The byte of the file at which the run starts.</param>
public readonly record struct BlockOrigin(IExtentMap File, long FileOffset);
