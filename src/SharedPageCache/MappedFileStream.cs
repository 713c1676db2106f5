using System.Diagnostics;
using SharedPageCache.Concurrency;

namespace SharedPageCache;

/// <summary>
/// A mapped file as a seekable stream, writable if the file is. Like other streams it is for one user at a time. It buffers
/// nothing; Flush and FlushAsync are <see cref="MappedFile.FlushAsync(CancellationToken)"/>, and so make the whole file durable.
/// </summary>
[DebuggerDisplay("{Position} of {Length} bytes")]
internal sealed class MappedFileStream(MappedFile file, bool leaveOpen, ReadHint hint = ReadHint.Normal) : Stream
{
    private long _position;
    private int _closed;

    public override bool CanRead => !IsClosed;

    public override bool CanSeek => !IsClosed;

    public override bool CanWrite => !IsClosed && file.CanWrite;

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
        var read = file.Read(_position, buffer, hint);
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
        var read = await file.ReadAsync(_position, buffer, hint, cancellationToken).ConfigureAwait(false);
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

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ThrowIfClosed();
        file.Write(_position, buffer);
        _position += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Write(buffer.AsSpan(offset, count));
    }

    public override void WriteByte(byte value) => Write([value]);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        await file.WriteAsync(_position, buffer, cancellationToken: cancellationToken).ConfigureAwait(false);
        _position += buffer.Length;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    public override void SetLength(long value)
    {
        ThrowIfClosed();
        file.SetLength(value);
    }

    public override void Flush() => FlushAsync(CancellationToken.None).GetAwaiter().GetResult();

    public override Task FlushAsync(CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        return file.Mapping.IsWritable ? file.FlushAsync(cancellationToken).AsTask() : Task.CompletedTask;
    }

    public override async ValueTask DisposeAsync()
    {
        if (Atomic.Exchange(ref _closed, 1) == 0 && !leaveOpen)
        {
            await file.DisposeAsync().ConfigureAwait(false);
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

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
