using System.Buffers;
using System.Diagnostics;
using SharedPageCache.Concurrency;

namespace SharedPageCache;

/// <summary>Leased pages of a range of a file, as one sequence without a copy.</summary>
/// <remarks>
/// Each page is a lease of its own point in time: the range is not a snapshot of several pages unless nobody writes.
/// Dispose gives all pages back; it may be called more than once, and by several threads: one of them takes the leases (an exchange) and gives them back.
/// </remarks>
[DebuggerDisplay("{_sequence.Length} bytes")]
public sealed class PageRangeLease : IDisposable
{
    private List<PageMemoryLease>? _leases;
    private readonly ReadOnlySequence<byte> _sequence;

    internal PageRangeLease(List<PageMemoryLease> leases)
    {
        _leases = leases;
        _sequence = Chain(leases.Select(static lease => lease.Memory));
    }

    /// <summary>The bytes of the range, clipped to the file's length.</summary>
    /// <exception cref="ObjectDisposedException">The lease was disposed.</exception>
    public ReadOnlySequence<byte> Sequence
    {
        get
        {
            ObjectDisposedException.ThrowIf(Atomic.LoadAcquire(ref _leases) is null && _sequence.Length > 0, this);
            return _sequence;
        }
    }

    /// <summary>Gives all pages back.</summary>
    /// <exception cref="CacheCorruptionException">Checked mode finds that a page was changed. All are given back all the same.</exception>
    public void Dispose()
    {
        if (Atomic.Exchange(ref _leases, null) is { } leases)
        {
            GiveAll(leases);
        }
    }

    /// <summary>Gives pages back, all of them, whatever checked mode finds on the way.</summary>
    internal static void GiveAll(List<PageMemoryLease> leases)
    {
        CacheCorruptionException? corruption = null;
        foreach (var lease in leases)
        {
            try
            {
                lease.Dispose();
            }
            catch (CacheCorruptionException error)
            {
                corruption ??= error;
            }
        }

        leases.Clear();
        if (corruption is not null)
        {
            throw corruption;
        }
    }

    /// <summary>Hands the single leases over to the caller, who disposes them.</summary>
    internal PageMemoryLease[] TakePages() => [.. Atomic.Exchange(ref _leases, null)!];

    internal static ReadOnlySequence<byte> Chain(IEnumerable<ReadOnlyMemory<byte>> pages)
    {
        Segment? first = null;
        Segment? last = null;
        foreach (var page in pages)
        {
            last = last is null ? new Segment(page, 0) : last.Append(page);
            first ??= last;
        }

        return first is null
            ? ReadOnlySequence<byte>.Empty
            : new ReadOnlySequence<byte>(first, 0, last!, last!.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long runningIndex)
        {
            Memory = memory;
            RunningIndex = runningIndex;
        }

        public Segment Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
