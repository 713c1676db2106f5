namespace SharedPageCache;

/// <summary>Where dirty pages go: the engine's answer to a part of a <see cref="DirtyRun"/>.</summary>
/// <param name="Blocks">
/// The blocks, in place or new: offset and length are multiples of the page size, inside the
/// device, in use by nobody else.
/// </param>
/// <param name="Generation">The engine's generation of these blocks (see <see cref="Extent"/>); 0 if it has none.</param>
public readonly record struct PlacedRun(BlockRun Blocks, uint Generation = 0);
