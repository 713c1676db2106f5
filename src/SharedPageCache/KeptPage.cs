using System.Diagnostics;
using SharedPageCache.Diagnostics;
using SharedPageCache.Faults;

namespace SharedPageCache;

/// <summary>
/// A leased page as a plain value, for code that has to keep a lease where a <see cref="PageLease"/> cannot go and a
/// <see cref="PageMemoryLease"/> is too dear: a table of pages that native code was given, say.
/// </summary>
/// <remarks>
/// Costs no allocation. Nobody watches it: <see cref="Release"/> is called exactly once for each value that
/// <see cref="MappedFile.TryKeep"/> gave, by whichever copy and thread; a second release underflows the page's pins, and a
/// page that is never released stays in memory for good. Checked mode finds both (<see cref="PageCacheOptions.Checked"/>). The bytes do not change and do not move until then.
/// </remarks>
[DebuggerDisplay("{Frame}, {_length} bytes")]
public readonly struct KeptPage
{
    private readonly PageLeases? _owner;
    private readonly int _frame;
    private readonly int _start;
    private readonly int _length;
    private readonly int _ticket;

    internal KeptPage(PageLeases owner, int frame, int ticket, int start, int length)
    {
        _owner = owner;
        _frame = frame;
        _ticket = ticket;
        _start = start;
        _length = length;
    }

    /// <summary>The bytes from the asked offset to the end of its page, or of the file if that comes first.</summary>
    /// <exception cref="ObjectDisposedException">Checked mode finds that the page was released.</exception>
    public ReadOnlySpan<byte> Span
    {
        get
        {
            if (_owner is null)
            {
                return default;
            }

            if (_ticket != HolderTable.Untracked)
            {
                _owner.ThrowIfEnded(_frame, _ticket);
            }

            return _owner.Span(Hold).Slice(_start, _length);
        }
    }

    /// <summary>The frame that holds the page; none for a page that reads zero.</summary>
    public FrameIndex Frame => new(_owner is null ? -1 : _frame);

    private PageHold Hold => _frame < 0 ? PageHold.Zero : new PageHold(PageHoldKind.Pinned, _frame);

    /// <summary>Gives the page back. Once.</summary>
    /// <exception cref="InvalidOperationException">It was released before; always found in checked mode.</exception>
    /// <exception cref="CacheCorruptionException">Checked mode finds that the page was changed. It is given back all the same.</exception>
    public void Release() => _owner?.Give(_frame, _ticket);
}
