using System.Buffers;

namespace SharedPageCache.Tests.Writing.Modelled;

/// <summary>A device in memory of a pool, which holds anything at first.</summary>
/// <param name="length">Its size in bytes.</param>
/// <param name="blockSize">Its block size.</param>
/// <param name="yields">Whether every other call goes on on another thread.</param>
public sealed class ArrayDevice(long length, int blockSize, bool yields) : IBlockDevice, IDisposable
{
    private readonly byte[] _bytes = ArrayPool<byte>.Shared.Rent((int)length);
    private int _calls;

    /// <summary>A place: a write over it says that it is done, and is not. Negative for none.</summary>
    public long LosesWritesAt { get; init; } = -1;

    public int BlockSize => blockSize;

    public long Length => length;

    public async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        if (yields && Interlocked.Increment(ref _calls) % 2 == 0)
        {
            await Task.Yield();
        }

        return Read(run, origin, buffers);
    }

    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        var position = (int)run.Offset;
        for (var i = 0; i < buffers.Count; i++)
        {
            var buffer = buffers[i].Span;
            _bytes.AsSpan(position, buffer.Length).CopyTo(buffer);
            position += buffer.Length;
        }

        Assert.Equal(run.End, position);
        return (int)run.Length;
    }

    public async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        if (yields && Interlocked.Increment(ref _calls) % 2 == 0)
        {
            await Task.Yield();
        }

        if (run.Offset <= LosesWritesAt && LosesWritesAt < run.End)
        {
            return (int)run.Length;
        }

        var position = (int)run.Offset;
        for (var i = 0; i < buffers.Count; i++)
        {
            var buffer = buffers[i].Span;
            buffer.CopyTo(_bytes.AsSpan(position));
            position += buffer.Length;
        }

        Assert.Equal(run.End, position);
        return (int)run.Length;
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_bytes);

    internal void Copy(long from, long to, int count) => _bytes.AsSpan((int)from, count).CopyTo(_bytes.AsSpan((int)to));

    internal void Peek(long from, Span<byte> destination) => _bytes.AsSpan((int)from, destination.Length).CopyTo(destination);
}
