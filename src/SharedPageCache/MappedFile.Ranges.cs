using System.Runtime.CompilerServices;

namespace SharedPageCache;

/// <content>Sharing ranges with other files.</content>
public sealed partial class MappedFile
{
    /// <summary>
    /// Makes a range of this file what a range of another file of the volume is, or of this one: whole pages are shared, dirty
    /// ones too, and the rest is copied. All of it or nothing: a failure leaves the file as it was. Blocks the thread if a
    /// page must be loaded or room must be made.
    /// </summary>
    /// <remarks>
    /// <para>
    /// The range is what the source holds at one moment; a clone of either file has all of it or nothing. A reader of several
    /// pages may see some pages of before. No flush, and no I/O if whole pages are shared; costs in proportion to the windows
    /// (512 pages) of the range that are in memory, the dirty pages in it, and what the engine's hook costs.
    /// </para>
    /// <para>
    /// Pages are shared if both offsets lie equally in their pages. Parts of a page at the beginning and the end are copied;
    /// not at the end if that is this file's end afterwards. If the offsets lie differently everything is copied, at most
    /// <see cref="MaxAtomicWrite"/> bytes in one call.
    /// </para>
    /// <para>
    /// A file that grows by it reads zero between its old end and the range. It is durable with the next flush, not before.
    /// </para>
    /// </remarks>
    /// <param name="source">The file to take the range from; it may be this one if the ranges do not overlap.</param>
    /// <param name="sourceOffset">First byte in the source, 0 or more.</param>
    /// <param name="destinationOffset">First byte in this file, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the source.</param>
    /// <returns>The number of bytes: the length, or fewer at the end of the source, 0 at or behind it.</returns>
    /// <exception cref="ArgumentException">The source is of another volume, or the ranges overlap in this file.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An offset or the length is negative, or the end is beyond the longest file.</exception>
    /// <exception cref="NotSupportedException">This file cannot be written (see <see cref="CanWrite"/>), or the engine cannot share ranges of the source.</exception>
    /// <exception cref="CacheCapacityException">More would have to be copied in one step than may be, or metadata has used up the memory limit.</exception>
    /// <exception cref="CacheWritebackException">There is no room, and all that is dirty has failed to be written back.</exception>
    /// <exception cref="PageLoadException">A page that is copied in part could not be loaded.</exception>
    /// <exception cref="ObjectDisposedException">One of the files is closed.</exception>
    public long CloneRange(MappedFile source, long sourceOffset, long destinationOffset, long length)
    {
        ThrowIfNoRange(source, sourceOffset, destinationOffset, length);
        var clone = _engine.Ranges.CloneAsync(
            source._mapping, sourceOffset, _mapping, destinationOffset, length, blocking: true, CancellationToken.None);
        return clone.AsTask().GetAwaiter().GetResult();
    }

    /// <inheritdoc cref="CloneRange" path="/summary"/>
    /// <inheritdoc cref="CloneRange" path="/remarks"/>
    /// <inheritdoc cref="CloneRange" path="/param"/>
    /// <param name="source">The file to take the range from; it may be this one if the ranges do not overlap.</param>
    /// <param name="sourceOffset">First byte in the source, 0 or more.</param>
    /// <param name="destinationOffset">First byte in this file, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the source.</param>
    /// <param name="cancellationToken">Cancels waits; nothing has changed then.</param>
    /// <returns>The number of bytes: the length, or fewer at the end of the source, 0 at or behind it.</returns>
    /// <inheritdoc cref="CloneRange" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<long> CloneRangeAsync(
        MappedFile source, long sourceOffset, long destinationOffset, long length, CancellationToken cancellationToken = default)
    {
        ThrowIfNoRange(source, sourceOffset, destinationOffset, length);
        return _engine.Ranges.CloneAsync(
            source._mapping, sourceOffset, _mapping, destinationOffset, length, blocking: false, cancellationToken);
    }

    /// <summary>
    /// Shares the pages of two ranges that hold the same bytes, from their beginning on to the first difference. Never changes
    /// what either file shows, nor its length. Blocks the thread if a page must be loaded.
    /// </summary>
    /// <remarks>
    /// Compares byte by byte, a piece of <see cref="MaxAtomicWrite"/> bytes at a time, and keeps writers from that piece of
    /// both files until it is shared. Both offsets must lie equally in their pages, else nothing can be shared. Of a page
    /// that the range covers in part the bytes are compared, but the page is not shared, unless both end there.
    /// </remarks>
    /// <param name="source">The file whose pages stay; it may be this one if the ranges do not overlap.</param>
    /// <param name="sourceOffset">First byte in the source, 0 or more.</param>
    /// <param name="destinationOffset">First byte in this file, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of both files.</param>
    /// <returns>How many bytes of the range are shared now.</returns>
    /// <exception cref="PageLoadException">A page could not be loaded; what was shared by then stays shared.</exception>
    /// <inheritdoc cref="CloneRange" path="/exception"/>
    public long Dedupe(MappedFile source, long sourceOffset, long destinationOffset, long length)
    {
        ThrowIfNoRange(source, sourceOffset, destinationOffset, length);
        var dedupe = _engine.Ranges.DedupeAsync(
            source._mapping, sourceOffset, _mapping, destinationOffset, length, blocking: true, CancellationToken.None);
        return dedupe.AsTask().GetAwaiter().GetResult();
    }

    /// <inheritdoc cref="Dedupe" path="/summary"/>
    /// <inheritdoc cref="Dedupe" path="/remarks"/>
    /// <param name="source">The file whose pages stay; it may be this one if the ranges do not overlap.</param>
    /// <param name="sourceOffset">First byte in the source, 0 or more.</param>
    /// <param name="destinationOffset">First byte in this file, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of both files.</param>
    /// <param name="cancellationToken">Cancels waits; what was shared by then stays shared.</param>
    /// <returns>How many bytes of the range are shared now.</returns>
    /// <inheritdoc cref="Dedupe" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<long> DedupeAsync(
        MappedFile source, long sourceOffset, long destinationOffset, long length, CancellationToken cancellationToken = default)
    {
        ThrowIfNoRange(source, sourceOffset, destinationOffset, length);
        return _engine.Ranges.DedupeAsync(
            source._mapping, sourceOffset, _mapping, destinationOffset, length, blocking: false, cancellationToken);
    }

    private void ThrowIfNoRange(
        MappedFile source, long sourceOffset, long destinationOffset, long length, [CallerMemberName] string member = "")
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegative(sourceOffset);
        ArgumentOutOfRangeException.ThrowIfNegative(destinationOffset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ThrowIfNotWritable(destinationOffset, 0, member);
        source.ThrowIfUnusable(sourceOffset);
        if (source._mapping.Volume != _mapping.Volume)
        {
            throw new ArgumentException(
                $"File {source.Name} is of volume {source._mapping.Volume.Name}, and {Name} of {_mapping.Volume.Name}: ranges are shared inside one volume.",
                nameof(source));
        }

        if (source.Extents is not ICloneableExtentMap)
        {
            throw new NotSupportedException(
                $"Ranges of file {source.Name} cannot be shared: {source.Extents.GetType().Name} is no {nameof(ICloneableExtentMap)}.");
        }

        _engine.ThrowIfMetadataFull();
    }
}
