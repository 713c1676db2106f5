namespace SharedPageCache;

/// <summary>A run of dirty pages that asks for a place.</summary>
/// <param name="Length">Length in bytes, a multiple of the page size.</param>
/// <param name="Replaces">The blocks that hold the older content, or <see cref="BlockRun.None"/>.</param>
/// <param name="Owners">Who shows the run at this moment; more may join before it is published.</param>
public readonly record struct DirtyRun(long Length, BlockRun Replaces, ReadOnlyMemory<RunOwner> Owners);
