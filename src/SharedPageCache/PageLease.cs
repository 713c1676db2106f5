using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using SharedPageCache.Diagnostics;
using SharedPageCache.Faults;

namespace SharedPageCache;

/// <summary>
/// A leased page for synchronous code: bytes in the cache's own memory that do not change and do not go away until the
/// lease is disposed.
/// </summary>
/// <remarks>
/// Lives on the stack. Dispose it once, as soon as possible: leases hold at most half of the cache's frames. A span that
/// is kept beyond dispose cannot be guarded in .NET: it may then show another page. Do not copy the struct; a copy that
/// is disposed too releases a pin twice, which is detected when the count underflows, and always in checked mode.
/// </remarks>
public ref struct PageLease
{
    private readonly ReadOnlySpan<byte> _span;
    private PageLeases? _owner;
    private readonly int _frame;
    private readonly int _ticket;

    internal PageLease(PageLeases owner, int frame, int ticket, ReadOnlySpan<byte> span)
    {
        _owner = owner;
        _frame = frame;
        _ticket = ticket;
        _span = span;
    }

    /// <summary>The bytes from the asked offset to the end of its page, or of the file if that comes first.</summary>
    /// <exception cref="ObjectDisposedException">The lease was disposed.</exception>
    public readonly ReadOnlySpan<byte> Span
    {
        get
        {
            if (_owner is null)
            {
                ThrowDisposed();
            }

            if (_ticket != HolderTable.Untracked)
            {
                _owner.ThrowIfEnded(_frame, _ticket);
            }

            return _span;
        }
    }

    /// <summary>The frame that holds the page; none for a page that reads zero.</summary>
    public readonly FrameIndex Frame => new(_frame);

    /// <summary>Gives the page back. Further calls on the same variable do nothing.</summary>
    /// <exception cref="InvalidOperationException">A copy was disposed before; always found in checked mode.</exception>
    /// <exception cref="CacheCorruptionException">Checked mode finds that the page was changed. It is given back all the same.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Dispose()
    {
        var owner = _owner;
        _owner = null;
        owner?.Give(_frame, _ticket);
    }

    [DoesNotReturn]
    private static void ThrowDisposed() => throw new ObjectDisposedException(nameof(PageLease));
}
