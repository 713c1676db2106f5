namespace SharedPageCache.Sqlite.Homes;

/// <summary>How much a home can still take.</summary>
/// <param name="FreeBlocks">Blocks that can be written, those that metadata will need among them.</param>
/// <param name="KeptBlocks">How many of them are for those who ask nobody.</param>
/// <param name="BlockSize">Bytes of a block.</param>
internal readonly record struct HomeRoom(long FreeBlocks, long KeptBlocks, int BlockSize);
