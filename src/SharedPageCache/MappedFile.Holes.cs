using System.Runtime.CompilerServices;
using SharedPageCache.Faults;

namespace SharedPageCache;

/// <content>Ranges that read zero.</content>
public sealed partial class MappedFile
{
    /// <summary>
    /// Makes a range read zero. Whole pages become holes, whose blocks the engine may free; of pages that the range covers
    /// in part the bytes are overwritten. The length stays as it is.
    /// </summary>
    /// <remarks>
    /// The whole pages become holes in one step, which a clone has or has not; the two ends are overwritten after it. If that fails, the
    /// holes are there. A write of the range at the same time comes before or after, page by page.
    /// </remarks>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the file.</param>
    /// <param name="cancellationToken">Cancels waits; what was punched by then stays so.</param>
    /// <exception cref="ArgumentOutOfRangeException">Offset or length is negative, or leads beyond the longest file.</exception>
    /// <exception cref="NotSupportedException">The file cannot be written: see <see cref="CanWrite"/>.</exception>
    /// <exception cref="PageLoadException">A page that is covered in part could not be loaded.</exception>
    /// <exception cref="CacheWritebackException">There is no room, and all that is dirty has failed to be written back.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public ValueTask PunchHoleAsync(long offset, long length, CancellationToken cancellationToken = default) =>
        ZeroAsync(offset, length, grows: false, blocking: false, cancellationToken);

    /// <summary>
    /// Makes a range read zero, blocking the thread if a page must be loaded or room must be made: see <see cref="PunchHoleAsync"/>.
    /// </summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the file.</param>
    /// <inheritdoc cref="PunchHoleAsync" path="/exception"/>
    public void PunchHole(long offset, long length) =>
        PageWrites.Complete(ZeroAsync(offset, length, grows: false, blocking: true, CancellationToken.None));

    /// <summary>
    /// Makes a range read zero, as <see cref="PunchHoleAsync"/> does, and the file longer if it ends before the range does.
    /// </summary>
    /// <remarks>The file becomes longer first. If the rest fails it stays so.</remarks>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; nothing happens if it is 0.</param>
    /// <param name="cancellationToken">Cancels waits; what was done by then stays so.</param>
    /// <inheritdoc cref="PunchHoleAsync" path="/exception"/>
    public ValueTask ZeroRangeAsync(long offset, long length, CancellationToken cancellationToken = default) =>
        ZeroAsync(offset, length, grows: true, blocking: false, cancellationToken);

    /// <summary>
    /// Makes a range read zero, and the file longer if need be, blocking the thread if a page must be loaded or room must be made: see
    /// <see cref="ZeroRangeAsync"/>.
    /// </summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; nothing happens if it is 0.</param>
    /// <inheritdoc cref="PunchHole" path="/exception"/>
    public void ZeroRange(long offset, long length) =>
        PageWrites.Complete(ZeroAsync(offset, length, grows: true, blocking: true, CancellationToken.None));

    private ValueTask ZeroAsync(
        long offset, long length, bool grows, bool blocking, CancellationToken cancellationToken, [CallerMemberName] string member = "")
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ThrowIfNotWritable(offset, grows ? length : 0, member);
        var end = length > CachedVolume.LongestFile - offset ? CachedVolume.LongestFile : offset + length;
        return cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled(cancellationToken)
            : length == 0 ? ValueTask.CompletedTask
            : _engine.Shapes.ZeroAsync(_mapping, offset, end, grows, blocking, cancellationToken);
    }
}
