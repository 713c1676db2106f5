namespace SharedPageCache;

/// <summary>
/// A file whose shape the engine can change: the hooks of the same name as the operations of <c>MappedFile</c>. A file of
/// a volume with an <see cref="IPlacementEngine"/> is writable if its map implements this interface.
/// </summary>
/// <remarks>
/// <para>
/// Every change of a file's truth enters through <c>MappedFile</c>, which calls the hook synchronously inside the file's
/// gate and the volume's binding lock, together with the change of the page tree. Hooks work in memory, do no I/O and do
/// not call the cache except <c>CachedVolume.Discard</c>; they advance <see cref="IExtentMap.Sequence"/> by one. If one throws
/// nothing has changed, and the exception reaches the caller. What they did becomes durable with the next
/// <see cref="IPlacementEngine.PersistAsync"/>.
/// </para>
/// </remarks>
public interface IWritableExtentMap : ICloneableExtentMap
{
    /// <summary>
    /// Changes the file's length. Blocks wholly past a shorter length are released; a longer file reads zero from the old
    /// length on. Of the block that the old length lies in, the cache itself sees to that: it writes the zeros. The page in which
    /// a shorter length lies is asked for again, unless it is dirty: the engine may show it otherwise from now on.
    /// </summary>
    /// <param name="newLength">The new length in bytes.</param>
    void SetLength(long newLength);

    /// <summary>Makes a range a hole: it reads zero and its blocks may be freed.</summary>
    /// <param name="offset">First byte, a multiple of the device's block size.</param>
    /// <param name="length">Length in bytes, a multiple of the device's block size; the range may end behind the file.</param>
    void PunchHole(long offset, long length);

    /// <summary>
    /// Shares ranges of another file of the same volume (or of this one) into this file, all of them or none, and makes it
    /// longer if need be. What the ranges cover of this file is given up; between and behind them nothing changes, and from
    /// the old length on the file reads zero where no range lies.
    /// </summary>
    /// <remarks>
    /// A page of the source that is dirty is left out of the ranges: its content is on no device, the cache shares it by
    /// itself, and <see cref="IPlacementEngine.Publish"/> binds it to both files. Until then this file has at that page what
    /// it had before, as with a write: so a crash shows what was flushed, and nothing that this file never held.
    /// </remarks>
    /// <param name="source">The file whose blocks are to be shared.</param>
    /// <param name="ranges">
    /// At least one, in ascending order, without overlap; no destination overlaps a source of the same file. Offsets and
    /// lengths are multiples of the cache's page size, so the last range may end behind the files.
    /// </param>
    /// <param name="newLength">The file's length afterwards; never shorter than now.</param>
    /// <exception cref="NotSupportedException">The engine cannot share ranges; nothing has changed.</exception>
    void CloneRange(IExtentMap source, ReadOnlySpan<SharedRange> ranges, long newLength) =>
        throw new NotSupportedException($"{GetType().Name} cannot share ranges.");

    /// <summary>
    /// This file shows from now on what another file of the same volume shows: its extents and its length. The merge of a
    /// branch; in constant time if clones are.
    /// </summary>
    /// <remarks>
    /// The ranges that are kept are dirty in the source: their content is on no device yet, the cache shares it by itself,
    /// and <see cref="IPlacementEngine.Publish"/> binds it to both files. Until then this file goes on to have there what it
    /// has, as with a write: so a crash never shows it older than it was flushed.
    /// </remarks>
    /// <param name="source">The file that is taken over. It does not change.</param>
    /// <param name="kept">
    /// The ranges in which this file keeps its own extents, as far as it has any: in ascending order, without overlap,
    /// multiples of the cache's page size.
    /// </param>
    /// <exception cref="NotSupportedException">The engine cannot do this (the default); nothing has changed.</exception>
    void ReplaceWith(IExtentMap source, ReadOnlySpan<FileRange> kept) =>
        throw new NotSupportedException($"{GetType().Name} cannot take over another file.");

    /// <summary>Deletes the file. Its blocks may be freed, by Discard, once no other file shows them.</summary>
    void Delete();

    /// <summary>
    /// Told, outside every lock, before pages that are shared (with a clone, or on disk by the extent's flag) are copied
    /// for a write: the engine may allocate, veto by throwing, or take note. Called again if more became shared meanwhile.
    /// </summary>
    /// <param name="offset">First byte of the range that will stop being shared.</param>
    /// <param name="length">Length in bytes.</param>
    /// <param name="cancellationToken">The writer's token.</param>
    ValueTask BeforeUnshareAsync(long offset, long length, CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
