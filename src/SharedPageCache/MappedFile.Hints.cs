using SharedPageCache.Faults;

namespace SharedPageCache;

/// <content>Reads whose callers know more than the cache does.</content>
public sealed partial class MappedFile
{
    /// <summary>Reads as <see cref="Read(long, Span{byte})"/> does, with a hint.</summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="destination">Receives the bytes.</param>
    /// <param name="hint">What the caller knows about this read.</param>
    /// <returns>The number of bytes read: fewer than asked at the end of the file, 0 at or behind it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative, or there is no such hint.</exception>
    /// <inheritdoc cref="Read(long, Span{byte})" path="/exception"/>
    public int Read(long offset, Span<byte> destination, ReadHint hint)
    {
        var manner = MannerOf(hint);
        ThrowIfUnusable(offset);
        var cursor = _engine.Reads.Begin(_mapping, offset, destination.Length, manner);
        var read = cursor.CopyHinted(destination) ? cursor.Done : _engine.Reads.Read(cursor, _mapping, destination);
        DemoteRead(hint, offset, read);
        return read;
    }

    /// <summary>Reads as <see cref="ReadAsync(long, Memory{byte}, CancellationToken)"/> does, with a hint.</summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="destination">Receives the bytes.</param>
    /// <param name="hint">What the caller knows about this read.</param>
    /// <param name="cancellationToken">Cancels this caller's wait; a load that others wait for goes on.</param>
    /// <returns>The number of bytes read: fewer than asked at the end of the file, 0 at or behind it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative, or there is no such hint.</exception>
    /// <inheritdoc cref="ReadAsync(long, Memory{byte}, CancellationToken)" path="/exception"/>
    public ValueTask<int> ReadAsync(long offset, Memory<byte> destination, ReadHint hint, CancellationToken cancellationToken = default)
    {
        var manner = MannerOf(hint);
        ThrowIfUnusable(offset);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<int>(cancellationToken);
        }

        var cursor = _engine.Reads.Begin(_mapping, offset, destination.Length, manner);
        if (!cursor.CopyHinted(destination.Span))
        {
            var read = _engine.Reads.ReadAsync(cursor, _mapping, destination, cancellationToken);
            return hint == ReadHint.DontNeed ? DemoteReadAsync(read, offset) : read;
        }

        DemoteRead(hint, offset, cursor.Done);
        return new ValueTask<int>(cursor.Done);
    }

    /// <summary>Leases as <see cref="PinAsync(long, CancellationToken)"/> does, with a hint.</summary>
    /// <param name="offset">A byte of the page, inside the file.</param>
    /// <param name="hint">What the caller knows about this use; <see cref="ReadHint.DontNeed"/> is <see cref="ReadHint.Once"/> here.</param>
    /// <param name="cancellationToken">Cancels this caller's wait.</param>
    /// <returns>The lease, which the caller disposes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative or not inside the file, or there is no such hint.</exception>
    /// <inheritdoc cref="PinAsync(long, CancellationToken)" path="/exception"/>
    public ValueTask<PageMemoryLease> PinAsync(long offset, ReadHint hint, CancellationToken cancellationToken = default) =>
        PinAsync(offset, MannerOf(hint), cancellationToken);

    /// <summary>Leases a range as <see cref="PinRangeAsync(long, long, CancellationToken)"/> does, with a hint.</summary>
    /// <param name="offset">First byte, inside the file.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the file.</param>
    /// <param name="hint">What the caller knows about this use; <see cref="ReadHint.DontNeed"/> is <see cref="ReadHint.Once"/> here.</param>
    /// <param name="cancellationToken">Cancels this caller's wait.</param>
    /// <returns>The leases as one sequence, which the caller disposes.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Offset or length is negative, the offset is not inside the file, or there is no such hint.</exception>
    /// <inheritdoc cref="PinRangeAsync(long, long, CancellationToken)" path="/exception"/>
    public async ValueTask<PageRangeLease> PinRangeAsync(
        long offset, long length, ReadHint hint, CancellationToken cancellationToken = default)
    {
        Concurrency.EngineCode.ThrowIfInCallback();
        return (await PinRangeAsync(offset, length, waits: true, MannerOf(hint), cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Brings a range into memory as <see cref="PrefetchAsync(long, long, CancellationToken)"/> does, with a hint.</summary>
    /// <param name="offset">First byte, 0 or more.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the file.</param>
    /// <param name="hint">
    /// What the caller knows about the pages. <see cref="ReadHint.WillNeed"/> keeps those, too, that are in memory already;
    /// <see cref="ReadHint.Once"/> and <see cref="ReadHint.DontNeed"/> bring them for one use; <see cref="ReadHint.Sequential"/> says nothing here.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait; loads under way go on.</param>
    /// <returns>A task that completes when the loads have ended.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Offset or length is negative, or there is no such hint.</exception>
    /// <inheritdoc cref="PrefetchAsync(long, long, CancellationToken)" path="/exception"/>
    public ValueTask PrefetchAsync(long offset, long length, ReadHint hint, CancellationToken cancellationToken = default) =>
        PrefetchAsync(offset, length, MannerOf(hint), cancellationToken);

    /// <summary>
    /// Says that this file does not need a range any more: its pages in memory that no other open file has used go before all others. Nothing
    /// is dropped: what is read again before its memory is needed is still there, and stays.
    /// </summary>
    /// <remarks>Costs in proportion to the pages in memory and to the range's windows of 512 pages. Dirty pages stay as they are.</remarks>
    /// <param name="offset">First byte, 0 or more. A page that the range covers in part only is left alone.</param>
    /// <param name="length">Length in bytes, 0 or more; clipped at the end of the file.</param>
    /// <returns>How many pages were demoted.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Offset or length is negative.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public long Demote(long offset, long length)
    {
        ThrowIfUnusable(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var pageSize = _engine.Rooms.PageSize;
        return DemoteTo((offset / pageSize) + (offset % pageSize == 0 ? 0 : 1), offset, length);
    }

    /// <summary>A sequential, seekable stream over the file whose reads have a hint.</summary>
    /// <param name="hint">What the caller knows about what it reads through the stream.</param>
    /// <param name="leaveOpen">Whether the file stays open when the stream is disposed.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such hint.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public Stream OpenStream(ReadHint hint, bool leaveOpen = true)
    {
        MannerOf(hint);
        ThrowIfUnusable(0);
        return new MappedFileStream(this, leaveOpen, hint);
    }

    private static LoadManner MannerOf(ReadHint hint) => hint switch
    {
        ReadHint.Normal => LoadManner.Plain,
        ReadHint.Sequential => LoadManner.Onwards,
        ReadHint.Once or ReadHint.DontNeed => LoadManner.Cold,
        ReadHint.WillNeed => LoadManner.Kept,
        _ => throw new ArgumentOutOfRangeException(nameof(hint), hint, $"The hint must be one of {string.Join(", ", Enum.GetNames<ReadHint>())}."),
    };

    private async ValueTask<int> DemoteReadAsync(ValueTask<int> reading, long offset)
    {
        var read = await reading.ConfigureAwait(false);
        DemoteRead(ReadHint.DontNeed, offset, read);
        return read;
    }

    /// <summary>Demotes what a last read has read to the end of its page: who reads piece by piece is done with a page then.</summary>
    private void DemoteRead(ReadHint hint, long offset, int read)
    {
        if (hint == ReadHint.DontNeed)
        {
            DemoteTo(offset / _engine.Rooms.PageSize, offset, read);
        }
    }

    /// <summary>Demotes pages from one on to the last that ends in a range, or at the file's end.</summary>
    private long DemoteTo(long firstPage, long offset, long length)
    {
        var fileLength = Length;
        var end = length > fileLength - offset ? fileLength : offset + length;
        var pageSize = _engine.Rooms.PageSize;
        var pages = end >= fileLength ? (fileLength + pageSize - 1) / pageSize : end / pageSize;
        return _engine.Demotion.Demote(_mapping, firstPage, pages - 1);
    }
}
