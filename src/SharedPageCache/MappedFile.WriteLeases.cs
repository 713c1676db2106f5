using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace SharedPageCache;

/// <content>Leases for writing.</content>
public sealed partial class MappedFile
{
    /// <summary>
    /// Leases the page at an offset for writing, if that needs no wait: the page is in memory, nobody else writes it, and
    /// leases may hold one more frame.
    /// </summary>
    /// <param name="offset">A byte of the page, inside the file.</param>
    /// <param name="lease">The lease, which the caller disposes. It begins with the page, not with the offset.</param>
    /// <param name="discardContent">Whether the bytes begin as zeros, and not as the page: then nothing is read or copied.</param>
    /// <returns>Whether the page was leased.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative or not inside the file.</exception>
    /// <exception cref="NotSupportedException">The file cannot be written: see <see cref="CanWrite"/>.</exception>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    public bool TryLeaseForWrite(long offset, [NotNullWhen(true)] out WriteLease? lease, bool discardContent = false)
    {
        ThrowIfNotWritable(offset, 0);
        ThrowIfOutside(offset, _mapping.Tree);
        var page = offset >> _engine.Rooms.PageShift;
        lease = _engine.WriteLeases.TryTake(_mapping, page, discardContent) is { } write
            ? LeaseOf(write, page, origin: null)
            : null;
        return lease is not null;
    }

    /// <summary>
    /// Leases the page at an offset for writing, loading it if need be; waits for other writers of the page, and while
    /// leases hold all the frames that they may.
    /// </summary>
    /// <param name="offset">A byte of the page, inside the file.</param>
    /// <param name="discardContent">Whether the bytes begin as zeros, and not as the page: then nothing is read or copied.</param>
    /// <param name="cancellationToken">Cancels waits.</param>
    /// <returns>The lease, which the caller disposes. It begins with the page, not with the offset.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The offset is negative or not inside the file.</exception>
    /// <exception cref="NotSupportedException">The file cannot be written: see <see cref="CanWrite"/>.</exception>
    /// <exception cref="CacheWritebackException">There is no frame, and all that is dirty has failed to be written back.</exception>
    /// <inheritdoc cref="ReadAsync(long, Memory{byte}, CancellationToken)" path="/exception"/>
    public async ValueTask<WriteLease> LeaseForWriteAsync(
        long offset, bool discardContent = false, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ThrowIfNotWritable(offset, 0);
        ThrowIfOutside(offset, _mapping.Tree);
        var page = offset >> _engine.Rooms.PageShift;
        var origin = _engine.Leases.Origin();
        return LeaseOf(
            await _engine.WriteLeases.TakeAsync(_mapping, page, discardContent, cancellationToken).ConfigureAwait(false), page, origin);
    }

    /// <summary>Whether the file can still be written through this handle, from here.</summary>
    /// <exception cref="ObjectDisposedException">The file is closed.</exception>
    internal void ThrowIfNoWriter([CallerMemberName] string member = "") => ThrowIfNotWritable(0, 0, member);

    private WriteLease LeaseOf(Faults.PageWrite write, long page, StackTrace? origin)
    {
        var offset = page << _engine.Rooms.PageShift;
        return new WriteLease(
            this, _engine.WriteLeases, write, _engine.WriteLeases.Enter(_mapping, offset, write, origin ?? _engine.Leases.Origin()), offset);
    }
}
