using System.Runtime.CompilerServices;
using SharedPageCache.Concurrency;

namespace SharedPageCache;

/// <content>Writing, flushing, and changing the shape of the file.</content>
public sealed partial class MappedFile
{
    /// <summary>Whether the file can be written: its volume has a write-back port, its map has the hooks for it, and it is not sealed.</summary>
    public bool CanWrite => _mapping.IsWritable && !_mapping.IsSealed;

    /// <summary>
    /// The most bytes, from the start of a page on, that a clone sees whole or not at all; a longer write is a series of
    /// such.
    /// </summary>
    public long MaxAtomicWrite => _engine.Writes.MostAtomicBytes;

    /// <summary>Writes, blocking the thread if a page must be loaded or room must be made. A longer file results if need be.</summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="source">The bytes. A page that is written as a whole is not read first.</param>
    /// <param name="lsn">The log record that describes the write: the pages are not written back before it is durable.</param>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative, or the end is beyond the longest file.</exception>
    /// <exception cref="NotSupportedException">The file cannot be written: see <see cref="CanWrite"/>.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    /// <exception cref="PageLoadException">A page that is written in part could not be loaded; pages before it are written.</exception>
    /// <exception cref="CacheWritebackException">There is no room, and all that is dirty has failed to be written back.</exception>
    public void Write(long offset, ReadOnlySpan<byte> source, Lsn lsn = default)
    {
        ThrowIfNotWritable(offset, source.Length);
        _engine.Writes.Write(_mapping, offset, source, lsn);
    }

    /// <summary>Writes without blocking the thread.</summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="source">The bytes; not to be changed before the task has completed.</param>
    /// <param name="lsn">The log record that describes the write.</param>
    /// <param name="cancellationToken">Cancels waits; what was written by then stays written.</param>
    /// <inheritdoc cref="Write" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask WriteAsync(
        long offset, ReadOnlyMemory<byte> source, Lsn lsn = default, CancellationToken cancellationToken = default)
    {
        ThrowIfNotWritable(offset, source.Length);
        return cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled(cancellationToken)
            : _engine.Writes.WriteAsync(_mapping, offset, source, lsn, cancellationToken);
    }

    /// <summary>
    /// Makes everything durable that was written to a range of the file before the call: written to the device, the device
    /// flushed, its placement persisted by the engine.
    /// </summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the file.</param>
    /// <param name="cancellationToken">Cancels the wait; pages under way are written to the end.</param>
    /// <exception cref="ArgumentOutOfRangeException">Offset or length is negative.</exception>
    /// <exception cref="CacheWritebackException">
    /// The range could not be made durable: it stays dirty, and a later flush tries again. Or a write-back in the background
    /// has failed since the last flush, which is told once, even if the pages are durable by now.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed, or its volume was detached before all was durable.</exception>
    public ValueTask FlushAsync(long offset, long length, CancellationToken cancellationToken = default)
    {
        EngineCode.ThrowIfInCallback();
        ThrowIfUnusable(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var shift = _engine.Rooms.PageShift;
        var last = length > long.MaxValue - offset ? long.MaxValue : offset + length - 1;
        return CacheEngine.FlushAsync(_mapping, offset >> shift, last >> shift, cancellationToken);
    }

    /// <summary>Makes everything durable that was written to the file before the call.</summary>
    /// <param name="cancellationToken">Cancels the wait; pages under way are written to the end.</param>
    /// <inheritdoc cref="FlushAsync(long, long, CancellationToken)" path="/exception"/>
    public ValueTask FlushAsync(CancellationToken cancellationToken = default) => FlushAsync(0, long.MaxValue, cancellationToken);

    /// <summary>
    /// Makes the file shorter or longer. What lies behind a shorter length is gone; a longer file reads zero there. The first
    /// growth of a file that ends inside a page writes that page to the device before: after a crash a longer file must not
    /// show what lay behind its old end.
    /// </summary>
    /// <param name="length">The new length in bytes.</param>
    /// <param name="cancellationToken">Cancels waits; the length is then as before.</param>
    /// <exception cref="ArgumentOutOfRangeException">The length is negative or beyond the longest file.</exception>
    /// <exception cref="PageLoadException">The last page could not be loaded before the file grows; the length is as before.</exception>
    /// <exception cref="CacheWritebackException">The last page could not be written before the file grows; the length is as before.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="NotSupportedException">The file cannot be written: see <see cref="CanWrite"/>.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, CachedVolume.LongestFile);
        ThrowIfNotWritable(0, 0);
        return _engine.Shapes.SetLengthAsync(_mapping, length, blocking: false, cancellationToken);
    }

    /// <summary>Makes the file shorter or longer, blocking the thread if a page must be loaded.</summary>
    /// <param name="length">The new length in bytes.</param>
    /// <inheritdoc cref="SetLengthAsync" path="/exception"/>
    public void SetLength(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, CachedVolume.LongestFile);
        ThrowIfNotWritable(0, 0);
        var change = _engine.Shapes.SetLengthAsync(_mapping, length, blocking: true, CancellationToken.None).AsTask();
        change.GetAwaiter().GetResult();
    }

    /// <summary>
    /// Deletes the file: the engine frees what no other file shows, and its dirty pages are never written. All handles of
    /// the file are of no more use; this one is closed.
    /// </summary>
    /// <exception cref="NotSupportedException">The file can neither be written nor deleted: see <see cref="CanWrite"/>. A sealed file can be deleted.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public void Delete()
    {
        ThrowIfNotChangeable(0, 0);
        _engine.Shapes.Delete(_mapping);
        Dispose();
    }

    private void ThrowIfNotWritable(long offset, long length, [CallerMemberName] string member = "")
    {
        ThrowIfNotChangeable(offset, length, member);
        _mapping.ThrowIfSealed();
    }

    private void ThrowIfNotChangeable(long offset, long length, [CallerMemberName] string member = "")
    {
        EngineCode.ThrowIfInCallback(member);
        ThrowIfUnusable(offset);
        if (offset > CachedVolume.LongestFile - length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(offset), offset, $"{length} bytes at {offset} reach beyond the longest file, which has {CachedVolume.LongestFile} bytes.");
        }

        if (!_mapping.IsWritable)
        {
            throw new NotSupportedException(
                $"File {Name} cannot be written: its volume has {(_mapping.Volume.Placement is null ? "no" : "a")} write-back port, and {Extents.GetType().Name} {(Extents is IWritableExtentMap ? "is" : "is no")} {nameof(IWritableExtentMap)}.");
        }
    }
}
