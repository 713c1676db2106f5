using System.Buffers;

namespace SharedPageCache;

/// <summary>
/// One file as its engine knows it: which blocks hold which part of it. This is the port that every engine implements.
/// </summary>
/// <remarks>
/// <para>
/// The cache calls it from any thread, also concurrently, only when a page tree lacks the answer (once for each window of
/// pages, not for each page), and holds no lock while it waits: an engine may read its own metadata through the same
/// cache inside <see cref="GetExtentsAsync"/>.
/// </para>
/// <para>
/// The answer is cached. An engine that changes a file's extents says so: <c>CachedVolume.Discard</c> when blocks are
/// freed, <c>CachedVolume.Relocate</c> when they move, <c>MappedFile.InvalidateExtents</c> when one file's extents change
/// while the blocks live on.
/// </para>
/// </remarks>
public interface IExtentMap
{
    /// <summary>
    /// The validity sequence of the answers: a number that is counted up by one for each change of this file's extents or
    /// opaque bytes, before anything of the change can be seen (by <see cref="GetExtentsAsync"/>, by a read of the device,
    /// in a clone). An answer is used only if the sequence is the same before the question and when the answer is put to
    /// use. An engine whose extents never change returns a constant.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The order of a change: the sequence; the extents; <c>MappedFile.InvalidateExtents</c>; then the blocks that it freed
    /// are discarded, and only then handed out again. What is learned under the old number is the old truth, which clones
    /// share: a number that moved after the new extents could be seen would let them into a clone. An old answer under
    /// the new number does no harm: it is dropped by the invalidation, or thrown away as older than the discard.
    /// </para>
    /// <para>Called often and under a short lock of the cache: a field read, no I/O, no call into the cache.</para>
    /// </remarks>
    long Sequence { get; }

    /// <summary>Writes the extents that cover a range of the file.</summary>
    /// <param name="offset">First byte of the range.</param>
    /// <param name="length">Length of the range in bytes, greater than zero.</param>
    /// <param name="destination">
    /// Receives the extents in ascending file order, without overlap. They may start before and end after the range (the
    /// cache clips them); parts of the range that no extent covers are holes.
    /// </param>
    /// <param name="cancellationToken">Cancelled when nobody waits for the answer any more.</param>
    /// <returns>A task that completes when all extents were written.</returns>
    ValueTask GetExtentsAsync(
        long offset, long length, IBufferWriter<Extent> destination, CancellationToken cancellationToken);
}
