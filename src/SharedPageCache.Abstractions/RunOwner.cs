namespace SharedPageCache;

/// <summary>A file and an offset that show a run.</summary>
/// <param name="File">The engine's own object for the file.</param>
/// <param name="FileOffset">The byte of the file at which the run starts.</param>
public readonly record struct RunOwner(IExtentMap File, long FileOffset);
