using System.Diagnostics;
using SharedPageCache.Concurrency;
using SharedPageCache.Faults;

namespace SharedPageCache;

/// <summary>
/// A leased page for asynchronous code: bytes in the cache's own memory that do not change and do not go away until the
/// lease is disposed.
/// </summary>
/// <remarks>
/// Thread-safe; dispose may be called more than once. A lease that is collected without having been disposed gives its
/// page back and is counted in <see cref="PageCacheStatistics.LeakedLeases"/>. Memory that is kept beyond dispose cannot
/// be guarded: it may then show another page.
/// </remarks>
[DebuggerDisplay("{Frame}, {Length} bytes")]
public sealed class PageMemoryLease : IDisposable
{
    private readonly ReadOnlyMemory<byte> _memory;
    private readonly PageLeases _owner;
    private readonly int _frame;

    /// <summary>0 once the lease has ended.</summary>
    private int _ticket;

    internal PageMemoryLease(PageLeases owner, int frame, int ticket, ReadOnlyMemory<byte> memory)
    {
        _owner = owner;
        _frame = frame;
        _ticket = ticket;
        _memory = memory;
    }

    /// <summary>Gives the page back and reports the leak.</summary>
    ~PageMemoryLease()
    {
        if (Atomic.Exchange(ref _ticket, 0) is var ticket and not 0)
        {
            _owner.GiveLeaked(_frame, ticket);
        }
    }

    /// <summary>The bytes from the asked offset to the end of its page, or of the file if that comes first.</summary>
    /// <exception cref="ObjectDisposedException">The lease was disposed.</exception>
    public ReadOnlyMemory<byte> Memory
    {
        get
        {
            ObjectDisposedException.ThrowIf(Atomic.LoadAcquire(ref _ticket) == 0, this);
            return _memory;
        }
    }

    /// <summary>The frame that holds the page; none for a page that reads zero.</summary>
    public FrameIndex Frame => new(_frame);

    /// <summary>How many bytes are leased.</summary>
    public int Length => _memory.Length;

    /// <summary>Gives the page back.</summary>
    /// <exception cref="CacheCorruptionException">Checked mode finds that the page was changed. It is given back all the same.</exception>
    public void Dispose()
    {
        if (Atomic.Exchange(ref _ticket, 0) is var ticket and not 0)
        {
            GC.SuppressFinalize(this);
            _owner.Give(_frame, ticket);
        }
    }
}
