namespace SharedPageCache.Cow;

/// <summary>Figures of a volume, all taken at one moment.</summary>
/// <param name="TotalBlocks">Blocks of the volume, the superblocks' room among them.</param>
/// <param name="FreeBlocks">Blocks that can be given out.</param>
/// <param name="PlacedBlocks">Blocks that were given out for writing and are not published yet.</param>
/// <param name="ContentBlocks">Blocks that at least one file shows.</param>
/// <param name="PendingBlocks">Blocks that no file shows, but a state on disk may still need.</param>
/// <param name="Files">Named files.</param>
/// <param name="Generation">The generation of the newest state on disk.</param>
/// <param name="Commits">Commits since the volume was opened that had something to write.</param>
/// <param name="MetadataBlocksWritten">Blocks of metadata written by them, superblocks not counted.</param>
/// <param name="NodesCopied">Nodes of trees that were copied because a clone or a state on disk needs the original.</param>
public readonly record struct CowStatistics(
    long TotalBlocks,
    long FreeBlocks,
    long PlacedBlocks,
    long ContentBlocks,
    long PendingBlocks,
    int Files,
    long Generation,
    long Commits,
    long MetadataBlocksWritten,
    long NodesCopied);
