using System.Buffers;

namespace SharedPageCache;

/// <summary>
/// The write-back port of a volume: the engine decides where dirty pages go and when their placement is durable.
/// </summary>
/// <remarks>
/// <para>
/// The order is <see cref="EnsureDurableAsync"/>, <see cref="PlaceAsync"/>, device write, device flush,
/// <see cref="Publish"/>, <see cref="PersistAsync"/>. The cache runs one such batch of a volume at a time, so none of the
/// members but <see cref="PersistAsync"/> is ever called concurrently with itself.
/// </para>
/// <para>
/// From the answer of Place until Publish or <see cref="Abandon"/> the placed run belongs to the cache: the engine may
/// neither free nor reuse it, and <c>CachedVolume.Discard</c> of it throws. Publish and Abandon are called for whole
/// placed runs or for parts of them (whole pages), each byte exactly once: pages of one run may have got different owners,
/// or none, while they were written.
/// </para>
/// </remarks>
public interface IPlacementEngine
{
    /// <summary>Returns when the engine's log is durable up to <paramref name="lsn"/> (the write-ahead rule).</summary>
    /// <param name="lsn">The newest log record of the pages about to be written; never <see cref="Lsn.None"/>.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <remarks>The cache holds no writer mark and no lock meanwhile; reading and writing files of other volumes is allowed.</remarks>
    ValueTask EnsureDurableAsync(Lsn lsn, CancellationToken cancellationToken);

    /// <summary>Answers dirty runs with the block runs that they shall be written to, in place or new.</summary>
    /// <param name="dirty">The runs to place, each with who shows it and the blocks it replaces.</param>
    /// <param name="placed">Receives, for each dirty run in order, runs whose lengths add up to the dirty run's length.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <remarks>
    /// Called with no lock held. An exception (no space, for one) means that nothing was placed; the pages stay dirty and
    /// the flush fails with it.
    /// </remarks>
    ValueTask PlaceAsync(
        ReadOnlyMemory<DirtyRun> dirty, IBufferWriter<PlacedRun> placed, CancellationToken cancellationToken);

    /// <summary>
    /// Binds a written run to every file and offset that shows it. Synchronous, in memory, no I/O, all or nothing; called
    /// under the volume's binding lock, so it must not call the cache except <c>CachedVolume.Discard</c>. An exception
    /// means that nothing was applied.
    /// </summary>
    /// <param name="run">The run that was placed and written, or a part of it.</param>
    /// <param name="owners">Every owner at this moment, each once.</param>
    /// <remarks>
    /// The engine advances <see cref="IExtentMap.Sequence"/> of each owning file by one. Blocks that nobody shows afterwards may be
    /// reused once the binding is durable, and are discarded before they are.
    /// </remarks>
    void Publish(BlockRun run, ReadOnlySpan<RunOwner> owners);

    /// <summary>
    /// Makes everything durable that was published, and every change that the hooks of <see cref="IWritableExtentMap"/>
    /// made. Batched, under no lock; a failure stays owed and is repeated by every later flush.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait, not the work.</param>
    ValueTask PersistAsync(CancellationToken cancellationToken);

    /// <summary>Gives a placed run, or a part of one, back: no owner is left, or writing or publishing it failed.</summary>
    /// <param name="run">The run.</param>
    /// <remarks>
    /// Synchronous, in memory; an exception is reported by the flush, or by the write around the cache, and otherwise without effect.
    /// The run needs no <c>CachedVolume.Discard</c> before it is given out again: the write-back has left nothing of it in the
    /// cache. A call of it here throws, for what was placed stays placed until the batch has ended.
    /// </remarks>
    void Abandon(BlockRun run);
}
