using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using SharedPageCache.Concurrency;

namespace SharedPageCache;

/// <summary>
/// A mapped file as a pipe: each read leases the next pages and hands them out in place; advancing gives them back.
/// </summary>
/// <remarks>
/// <para>
/// For one reader at a time, as the contract of <see cref="PipeReader"/> says. A reader that examines everything and
/// consumes nothing gets more pages with each read, up to what leases may hold; then the read fails with
/// <see cref="CacheCapacityException"/> instead of waiting for itself. A read that was cancelled leaves its lease under
/// way, and the next read takes it.
/// </para>
/// <para>
/// <b>Nobody waits for leases while it holds some</b>: two that did could wait for each other. A read that finds that
/// leases may hold no more copies what has not been consumed into pooled memory, gives its pages back, and then waits. It
/// does so inside the read, when the caller has no buffer.
/// </para>
/// </remarks>
[DebuggerDisplay("at {_consumed} of {_file.Length} bytes")]
internal sealed class MappedFilePipeReader : PipeReader
{
    private const int PagesPerRead = 4;

    private readonly MappedFile _file;
    private readonly int _pageSize;

    /// <summary>The pages of the buffer in order; the first may be consumed in part.</summary>
    private readonly List<HeldPage> _pages = [];

    /// <summary>Ends a lease that is still under way when the reader is completed.</summary>
    private readonly CancellationTokenSource _completion = new();

    private ReadOnlySequence<byte> _buffer;
    private long _consumed;
    private long _examined;
    private int _consumedOfFirstPage;
    private bool _isReading;
    private bool _completed;
    private Task<PageRangeLease?>? _leasing;
    private int _cancelled;
    private Completion? _wake;

    public MappedFilePipeReader(MappedFile file, long offset)
    {
        _file = file;
        _pageSize = file.Volume.PageSize;
        _consumed = offset;
        _examined = offset;
    }

    private bool IsAtEnd => _consumed + _buffer.Length >= _file.Length;

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfUnusable();
        cancellationToken.ThrowIfCancellationRequested();
        if (Atomic.Exchange(ref _cancelled, 0) != 0)
        {
            return Result(isCanceled: true);
        }

        var isSatisfied = _leasing is null && !WantsMore();
        while (!isSatisfied)
        {
            _leasing ??= LeaseMoreAsync();
            if (!_leasing.IsCompleted && !await WaitAsync(_leasing, cancellationToken).ConfigureAwait(false))
            {
                return Result(isCanceled: true);
            }

            var leasing = _leasing;
            _leasing = null;
            var range = await leasing.ConfigureAwait(false);
            if (range is null)
            {
                CopyLeased();
            }
            else
            {
                _pages.AddRange(range.TakePages().Select(static lease => new HeldPage(lease)));
                isSatisfied = true;
            }

            _buffer = PageRangeLease.Chain(_pages.Select(static page => page.Memory)).Slice(_consumedOfFirstPage);
        }

        return Result(isCanceled: false);
    }

    public override bool TryRead(out ReadResult result)
    {
        ThrowIfUnusable();
        var cancelled = Atomic.Exchange(ref _cancelled, 0) != 0;
        var hasNew = _consumed + _buffer.Length > _examined;
        if (!cancelled && !IsAtEnd && !hasNew)
        {
            result = default;
            return false;
        }

        result = Result(cancelled);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (!_isReading)
        {
            throw new InvalidOperationException("AdvanceTo must follow a read.");
        }

        _isReading = false;
        if (_buffer.IsEmpty)
        {
            return;
        }

        var examinedBytes = _buffer.Slice(_buffer.Start, examined).Length;
        var rest = _buffer.Slice(consumed);
        var consumedBytes = (int)(_buffer.Length - rest.Length);
        _examined = _consumed + examinedBytes;
        _consumed += consumedBytes;
        _buffer = rest.IsEmpty ? default : rest;
        GiveBackConsumed(consumedBytes);
    }

    public override void CancelPendingRead()
    {
        // The flag first (a full fence), then the event; a read publishes its event first and then looks at the flag.
        Atomic.Exchange(ref _cancelled, 1);
        Atomic.LoadAcquire(ref _wake)?.Set();
    }

    public override void Complete(Exception? exception = null)
    {
        if (_completed)
        {
            return;
        }

        _completed = true;
        _completion.Cancel();
        if (_leasing is { } leasing)
        {
            _leasing = null;
            _ = GiveBackAsync(leasing);
        }

        _pages.ForEach(static page => page.GiveBack());
        _pages.Clear();
        _buffer = default;
    }

    /// <summary>A lease that came too late.</summary>
    private static async Task GiveBackAsync(Task<PageRangeLease?> leasing)
    {
        try
        {
            (await leasing.ConfigureAwait(false))?.Dispose();
        }
        catch (Exception)
        {
            // Nobody reads any more: there is nobody to tell.
        }
    }

    private ReadResult Result(bool isCanceled)
    {
        _isReading = true;
        return new ReadResult(_buffer, isCanceled, isCompleted: !isCanceled && IsAtEnd);
    }

    /// <summary>Whether there is more of the file, and more than what has been examined is not in the buffer.</summary>
    private bool WantsMore() =>
        !IsAtEnd && Math.Max(_examined, _consumed) > _consumed + _buffer.Length - (PagesPerRead * _pageSize);

    /// <summary>Leases what the buffer lacks; null if leases may hold no more now and this reader holds some of them.</summary>
    private Task<PageRangeLease?> LeaseMoreAsync()
    {
        var start = _consumed + _buffer.Length;
        var end = Math.Max(_examined, _consumed) + (PagesPerRead * _pageSize);

        // Held pages count against the same limit: who would exceed it alone would wait for itself.
        var room = _file.LeaseLimit - _pages.Count;
        if (room <= 0)
        {
            throw new CacheCapacityException(
                $"The reader holds {_pages.Count} pages that it has not consumed; leases may hold {_file.LeaseLimit} frames together.");
        }

        var most = (start / _pageSize + room) * _pageSize;
        var waits = !_pages.Exists(static page => page.IsLease);
        return _file.PinRangeAsync(start, Math.Min(end, most) - start, waits, Faults.LoadManner.Plain, _completion.Token).AsTask();
    }

    /// <summary>Gives all leases back and keeps the bytes in pooled memory.</summary>
    private void CopyLeased()
    {
        for (var i = 0; i < _pages.Count; i++)
        {
            if (_pages[i].IsLease)
            {
                _pages[i] = _pages[i].Copy();
            }
        }
    }

    /// <summary>Waits for a lease, a cancelled token or <see cref="CancelPendingRead"/>.</summary>
    /// <returns>Whether the lease has ended; false if the read was cancelled.</returns>
    private async ValueTask<bool> WaitAsync(Task leasing, CancellationToken cancellationToken)
    {
        var wake = new Completion();
        Atomic.Exchange(ref _wake, wake);
        if (Atomic.LoadAcquire(ref _cancelled) != 0)
        {
            wake.Set();
        }

        await Task.WhenAny(leasing, wake.WaitAsync(cancellationToken)).ConfigureAwait(false);
        Atomic.Exchange(ref _wake, null);
        wake.Set();
        if (leasing.IsCompleted)
        {
            return true;
        }

        cancellationToken.ThrowIfCancellationRequested();
        Atomic.Exchange(ref _cancelled, 0);
        return false;
    }

    private void GiveBackConsumed(int consumedBytes)
    {
        _consumedOfFirstPage += consumedBytes;
        var done = 0;
        while (done < _pages.Count && _consumedOfFirstPage >= _pages[done].Memory.Length)
        {
            _consumedOfFirstPage -= _pages[done].Memory.Length;
            _pages[done++].GiveBack();
        }

        _pages.RemoveRange(0, done);
    }

    private void ThrowIfUnusable()
    {
        if (_completed)
        {
            throw new InvalidOperationException("Reading is not allowed after the reader was completed.");
        }

        if (_isReading)
        {
            throw new InvalidOperationException("Reading is already in progress: call AdvanceTo first.");
        }
    }

    /// <summary>One page of the buffer: leased, or copied into an array of the pool.</summary>
    private readonly struct HeldPage
    {
        private readonly PageMemoryLease? _lease;
        private readonly byte[]? _copy;

        public HeldPage(PageMemoryLease lease)
        {
            _lease = lease;
            Memory = lease.Memory;
        }

        private HeldPage(byte[] copy, int length)
        {
            _copy = copy;
            Memory = copy.AsMemory(0, length);
        }

        public ReadOnlyMemory<byte> Memory { get; }

        public bool IsLease => _lease is not null;

        public HeldPage Copy()
        {
            var copy = ArrayPool<byte>.Shared.Rent(Memory.Length);
            Memory.CopyTo(copy);
            var length = Memory.Length;
            GiveBack();
            return new HeldPage(copy, length);
        }

        public void GiveBack()
        {
            _lease?.Dispose();
            if (_copy is not null)
            {
                ArrayPool<byte>.Shared.Return(_copy);
            }
        }
    }
}
