using System.Buffers;

namespace SharedPageCache;

/// <summary>
/// The write-back port of a volume: the engine decides where dirty pages go and when their placement is durable.
/// </summary>
/// <remarks>
/// The order for each run is <see cref="EnsureDurableAsync"/>, <see cref="PlaceAsync"/>, device write, device flush,
/// <see cref="Publish"/>, <see cref="PersistAsync"/>. From the answer of Place until Publish or <see cref="Abandon"/> the
/// placed run belongs to the cache: the engine may neither free nor reuse it. The cache's write side drives this port; the
/// read side does not.
/// </remarks>
public interface IPlacementEngine
{
    /// <summary>Returns when the engine's log is durable up to <paramref name="lsn"/> (the write-ahead rule).</summary>
    /// <param name="lsn">The newest log record of the pages about to be written.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <remarks>The cache holds no writer slot and no lock meanwhile; flushing another file from here is allowed.</remarks>
    ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken);

    /// <summary>Answers dirty runs with the block runs that they shall be written to, in place or new.</summary>
    /// <param name="dirty">The runs to place, each with who shows it and the blocks it replaces.</param>
    /// <param name="placed">Receives, for each dirty run in order, runs whose lengths add up to the dirty run's length.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<BlockRun> placed, CancellationToken cancellationToken);

    /// <summary>
    /// Binds a written run to every file and offset that shows it. Synchronous, in memory, no I/O, all or nothing; called
    /// under the volume's binding lock. An exception means that nothing was applied.
    /// </summary>
    /// <param name="run">The run that was placed and written.</param>
    /// <param name="owners">Every owner at this moment.</param>
    void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners);

    /// <summary>Makes all published runs durable. Batched, under no lock; a failure stays owed and is repeated.</summary>
    /// <param name="cancellationToken">Cancels the wait, not the work.</param>
    ValueTask PersistAsync(CancellationToken cancellationToken);

    /// <summary>Gives a placed run back that is not wanted any more: no owner is left, or the write failed.</summary>
    /// <param name="run">The run, as answered by <see cref="PlaceAsync"/>.</param>
    void Abandon(BlockRun run);
}
