namespace SharedPageCache;

/// <content>Writing around the cache.</content>
public sealed partial class MappedFile
{
    /// <summary>
    /// Writes whole pages straight to the device and makes them durable, as a write and a flush would, but without a place in the
    /// cache: for bulk data that nobody reads soon. Dirty pages of the range are replaced.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Readers of the file see each page as it was until the write is published, and as it is afterwards; other files that
    /// show the old blocks are not concerned. Writes of the same pages through the cache come before or after. A long write is a
    /// series of pieces of up to 1 MiB; each is in a clone whole or not at all.
    /// </para>
    /// <para>
    /// If it fails, pieces are as before or written. (Only if the engine places a piece as several runs and then refuses to publish
    /// one of them are those before it written, and the rest of the piece is as before.)
    /// </para>
    /// <para>
    /// A piece that the engine places where it lies is written through the cache and flushed: a clone that is made meanwhile shows the same
    /// blocks. Such pages stay in the cache.
    /// </para>
    /// </remarks>
    /// <param name="offset">First byte, a multiple of the page size.</param>
    /// <param name="source">
    /// The bytes, a multiple of the page size unless they end with the file; not to be changed before the task has completed.
    /// </param>
    /// <param name="lsn">The log record that describes the write: it is durable before the pages are written.</param>
    /// <param name="cancellationToken">Cancels waits; what was written by then stays written.</param>
    /// <exception cref="ArgumentException">Offset or length is not aligned.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative, or the file ends inside the range.</exception>
    /// <exception cref="NotSupportedException">The file cannot be written: see <see cref="CanWrite"/>.</exception>
    /// <exception cref="CacheWritebackException">
    /// The engine or the device has refused a step. If the step is "Persist" or "Abandon" everything is written.
    /// </exception>
    /// <exception cref="ExtentMapException">The engine failed to say where the pages are.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public async ValueTask WriteAroundAsync(
        long offset, ReadOnlyMemory<byte> source, Lsn lsn = default, CancellationToken cancellationToken = default)
    {
        ThrowIfNotWritable(offset, source.Length);
        var (pageSize, length) = (_engine.Rooms.PageSize, Length);
        if (offset > length - source.Length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset), offset, $"{source.Length} bytes at {offset} reach beyond the end {length} of the file.");
        }

        if (offset % pageSize != 0 || (source.Length % pageSize != 0 && offset + source.Length != length))
        {
            throw new ArgumentException(
                $"{source.Length} bytes at {offset} are no whole pages of {pageSize} bytes and do not end with the file.", nameof(source));
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (source.Length > 0)
        {
            await _engine.Around.WriteAsync(_mapping, offset, source, lsn, cancellationToken).ConfigureAwait(false);
        }
    }
}
