namespace SharedPageCache;

/// <summary>A place that shows a block: the answer of a reverse query.</summary>
/// <param name="File">The file's id.</param>
/// <param name="Name">The file's name as given at open, or null.</param>
/// <param name="Extents">The engine's own object for the file.</param>
/// <param name="Offset">The byte of the file at which the blocks show.</param>
/// <param name="Blocks">The blocks that show there.</param>
/// <param name="IsResident">Whether the page is in memory through this file's tree at the moment.</param>
public readonly record struct PageLocation(
    FileId File, string? Name, IExtentMap Extents, long Offset, BlockRun Blocks, bool IsResident);
