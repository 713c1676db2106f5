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
    private int _disposed;

    internal PageMemoryLease(PageLeases owner, int frame, ReadOnlyMemory<byte> memory)
    {
        _owner = owner;
        _frame = frame;
        _memory = memory;
    }

    /// <summary>Gives the page back and reports the leak.</summary>
    ~PageMemoryLease()
    {
        if (Atomic.Exchange(ref _disposed, 1) == 0)
        {
            _owner.ReportLeak();
            GiveBack();
        }
    }

    /// <summary>The bytes from the asked offset to the end of its page, or of the file if that comes first.</summary>
    /// <exception cref="ObjectDisposedException">The lease was disposed.</exception>
    public ReadOnlyMemory<byte> Memory
    {
        get
        {
            ObjectDisposedException.ThrowIf(Atomic.LoadAcquire(ref _disposed) != 0, this);
            return _memory;
        }
    }

    /// <summary>The frame that holds the page; none for a page that reads zero.</summary>
    public FrameIndex Frame => new(_frame);

    /// <summary>How many bytes are leased.</summary>
    public int Length => _memory.Length;

    /// <summary>Gives the page back.</summary>
    public void Dispose()
    {
        if (Atomic.Exchange(ref _disposed, 1) == 0)
        {
            GC.SuppressFinalize(this);
            GiveBack();
        }
    }

    private void GiveBack()
    {
        if (_frame >= 0)
        {
            _owner.Give(_frame);
        }
    }
}
