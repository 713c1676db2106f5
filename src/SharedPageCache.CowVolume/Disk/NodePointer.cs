namespace SharedPageCache.Cow.Disk;

/// <summary>Where a piece of metadata lies and what its checksum is; block 0 is none.</summary>
internal readonly record struct NodePointer(long Block, uint Checksum);
