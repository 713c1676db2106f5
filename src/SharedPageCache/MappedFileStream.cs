using System.Diagnostics;
using SharedPageCache.Concurrency;

namespace SharedPageCache;

/// <summary>A mapped file as a read-only, seekable stream. Like other streams it is for one reader at a time.</summary>
[DebuggerDisplay("{Position} of {Length} bytes")]
internal sealed class MappedFileStream(MappedFile file, bool leaveOpen) : Stream
{
    private long _position;
    private int _closed;

    public override bool CanRead => !IsClosed;

    public override bool CanSeek => !IsClosed;

    public override bool CanWrite => false;

    public override long Length
    {
        get
        {
            ThrowIfClosed();
            return file.Length;
        }
    }

    public override long Position
    {
        get
        {
            ThrowIfClosed();
            return _position;
        }

        set
        {
            ThrowIfClosed();
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    private bool IsClosed => Atomic.LoadAcquire(ref _closed) != 0;

    public override int Read(Span<byte> buffer)
    {
        ThrowIfClosed();
        var read = file.Read(_position, buffer);
        _position += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Read(buffer.AsSpan(offset, count));
    }

    public override int ReadByte()
    {
        Span<byte> one = stackalloc byte[1];
        return Read(one) == 0 ? -1 : one[0];
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        var read = await file.ReadAsync(_position, buffer, cancellationToken).ConfigureAwait(false);
        _position += read;
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    public override long Seek(long offset, SeekOrigin origin)
    {
        ThrowIfClosed();
        var start = origin switch
        {
            SeekOrigin.Begin => 0,
            SeekOrigin.Current => _position,
            SeekOrigin.End => file.Length,
            _ => throw new ArgumentOutOfRangeException(nameof(origin), origin, "Begin, Current or End."),
        };
        if (offset < -start || offset > long.MaxValue - start)
        {
            throw new IOException($"Seeking by {offset} from {start} leaves the range of a stream's position.");
        }

        return _position = start + offset;
    }

    public override void Flush()
    {
        // Nothing is ever written.
    }

    public override void SetLength(long value) => throw new NotSupportedException("The stream is read-only.");

    public override void Write(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("The stream is read-only.");

    protected override void Dispose(bool disposing)
    {
        if (Atomic.Exchange(ref _closed, 1) == 0 && disposing && !leaveOpen)
        {
            file.Dispose();
        }

        base.Dispose(disposing);
    }

    private void ThrowIfClosed() => ObjectDisposedException.ThrowIf(IsClosed, this);
}
