using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using SharedPageCache.Concurrency;

namespace SharedPageCache;

/// <summary>
/// A mapped file as a pipe: each read leases the next pages and hands them out in place; advancing gives them back.
/// </summary>
/// <remarks>
/// For one reader at a time, as the contract of <see cref="PipeReader"/> says. A reader that examines everything and
/// consumes nothing gets more pages with each read, up to what leases may hold; then the read fails with
/// <see cref="CacheCapacityException"/> instead of waiting for itself.
/// </remarks>
[DebuggerDisplay("at {_consumed} of {_file.Length} bytes")]
internal sealed class MappedFilePipeReader : PipeReader
{
    private const int PagesPerRead = 4;

    private readonly MappedFile _file;
    private readonly int _pageSize;
    private PageRangeLease? _lease;
    private ReadOnlySequence<byte> _buffer;
    private long _consumed;
    private long _examined;
    private bool _isReading;
    private int _cancelled;
    private bool _completed;

    public MappedFilePipeReader(MappedFile file, long offset)
    {
        _file = file;
        _pageSize = file.Volume.PageSize;
        _consumed = offset;
        _examined = offset;
    }

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfUnusable();
        if (Atomic.Exchange(ref _cancelled, 0) != 0)
        {
            _isReading = true;
            return new ReadResult(_buffer, isCanceled: true, isCompleted: false);
        }

        var end = Math.Min(_file.Length, Math.Max(_examined, _consumed) + PagesPerRead * _pageSize);
        if (end > _consumed && end - _consumed > _buffer.Length)
        {
            // The unconsumed pages are leased again before they are given back: they cannot go away in between.
            var lease = await _file.PinRangeAsync(_consumed, end - _consumed, cancellationToken).ConfigureAwait(false);
            _lease?.Dispose();
            _lease = lease;
            _buffer = lease.Sequence;
        }

        _isReading = true;
        return new ReadResult(_buffer, isCanceled: false, isCompleted: _consumed + _buffer.Length >= _file.Length);
    }

    public override bool TryRead(out ReadResult result)
    {
        ThrowIfUnusable();
        var cancelled = Atomic.Exchange(ref _cancelled, 0) != 0;
        var isCompleted = _consumed + _buffer.Length >= _file.Length;
        var hasNew = _consumed + _buffer.Length > _examined;
        if (!cancelled && !isCompleted && !hasNew)
        {
            result = default;
            return false;
        }

        _isReading = true;
        result = new ReadResult(_buffer, cancelled, isCompleted);
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
        _examined = _consumed + examinedBytes;
        _consumed += _buffer.Length - rest.Length;
        _buffer = rest;
        if (rest.IsEmpty)
        {
            _lease?.Dispose();
            _lease = null;
            _buffer = default;
        }
    }

    public override void CancelPendingRead() => Atomic.Exchange(ref _cancelled, 1);

    public override void Complete(Exception? exception = null)
    {
        if (!_completed)
        {
            _completed = true;
            _lease?.Dispose();
            _lease = null;
            _buffer = default;
        }
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
}
