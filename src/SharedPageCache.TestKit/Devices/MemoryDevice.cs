using System.Collections.Concurrent;
using System.Diagnostics;

namespace SharedPageCache.TestKit.Devices;

/// <summary>A device in memory that counts what is asked of it and can be told to misbehave.</summary>
/// <remarks>Thread-safe, but for the hooks: set them while nothing is under way. It checks that runs are aligned and buffers fit them.</remarks>
/// <param name="length">Its size in bytes.</param>
/// <param name="blockSize">Its block size in bytes.</param>
[DebuggerDisplay("{Length} bytes, {Reads} reads, {Writes} writes, {Flushes} flushes")]
public sealed class MemoryDevice(long length, int blockSize = 4096) : IBlockDevice
{
    private readonly byte[] _bytes = new byte[length];
    private readonly ConcurrentQueue<ReadRequest> _requests = new();
    private long _blocksRead;
    private long _blocksWritten;
    private int _reads;
    private int _writes;
    private int _flushes;

    /// <inheritdoc/>
    public int BlockSize { get; } = blockSize;

    /// <inheritdoc/>
    public long Length
    {
        get
        {
            BeforeLength?.Invoke();
            return _bytes.Length;
        }
    }

    /// <summary>Called when somebody asks for the length; may throw.</summary>
    public Action? BeforeLength { get; set; }

    /// <summary>Device blocks read so far.</summary>
    public long BlocksRead => Interlocked.Read(ref _blocksRead);

    /// <summary>Reads that were done.</summary>
    public int Reads => Volatile.Read(ref _reads);

    /// <summary>Every read that was asked for, in order, those that failed included.</summary>
    public IReadOnlyList<ReadRequest> Requests => [.. _requests];

    /// <summary>What the device holds.</summary>
    public Span<byte> Bytes => _bytes;

    /// <summary>Called before each read; may throw, or return a task to wait for.</summary>
    public Func<BlockRun, Task>? BeforeRead { get; set; }

    /// <summary>Called when the bytes are in the buffers and before the read returns; may throw, or be waited for.</summary>
    public Func<BlockRun, Task>? AfterRead { get; set; }

    /// <summary>Changes how many bytes of a read are delivered.</summary>
    public Func<BlockRun, int>? Deliver { get; set; }

    /// <summary>Sees the buffers of each read as the cache hands them over.</summary>
    public Action<BlockRun, IReadOnlyList<Memory<byte>>>? Inspect { get; set; }

    /// <summary>Device blocks written so far.</summary>
    public long BlocksWritten => Interlocked.Read(ref _blocksWritten);

    /// <summary>Writes that were done.</summary>
    public int Writes => Volatile.Read(ref _writes);

    /// <summary>Flushes that were done.</summary>
    public int Flushes => Volatile.Read(ref _flushes);

    /// <summary>Called before each write; may throw, or return a task to wait for.</summary>
    public Func<BlockRun, Task>? BeforeWrite { get; set; }

    /// <summary>Says of each write how many bytes the device takes: what is behind them is not written.</summary>
    public Func<BlockRun, int>? Accept { get; set; }

    /// <summary>Called before each flush; may throw.</summary>
    public Action? BeforeFlush { get; set; }

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        Check(run, buffers.Sum(static buffer => (long)buffer.Length));
        _requests.Enqueue(new ReadRequest(run, origin, buffers.Count));
        Inspect?.Invoke(run, buffers);
        if (BeforeRead is { } before)
        {
            await before(run).ConfigureAwait(false);
        }

        Interlocked.Increment(ref _reads);
        Interlocked.Add(ref _blocksRead, run.Length / BlockSize);
        var count = Deliver?.Invoke(run) ?? (int)run.Length;
        var position = 0;
        foreach (var buffer in buffers)
        {
            var part = Math.Clamp(count - position, 0, buffer.Length);
            _bytes.AsSpan((int)run.Offset + position, part).CopyTo(buffer.Span);
            position += buffer.Length;
        }

        if (AfterRead is { } after)
        {
            await after(run).ConfigureAwait(false);
        }

        return count;
    }

    /// <inheritdoc/>
    public async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        Check(run, buffers.Sum(static buffer => (long)buffer.Length));
        if (BeforeWrite is { } before)
        {
            await before(run).ConfigureAwait(false);
        }

        Interlocked.Increment(ref _writes);
        Interlocked.Add(ref _blocksWritten, run.Length / BlockSize);
        var count = Accept?.Invoke(run) ?? (int)run.Length;
        var position = 0;
        foreach (var buffer in buffers)
        {
            var part = Math.Clamp(count - position, 0, buffer.Length);
            buffer.Span[..part].CopyTo(_bytes.AsSpan((int)run.Offset + position));
            position += buffer.Length;
        }

        return count;
    }

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        BeforeFlush?.Invoke();
        Interlocked.Increment(ref _flushes);
        return ValueTask.CompletedTask;
    }

    /// <summary>Fills every block with words that name the block, so that one look tells where bytes came from.</summary>
    /// <param name="version">A number that all words carry.</param>
    /// <returns>This device.</returns>
    public MemoryDevice Stamp(int version = 0)
    {
        for (long offset = 0; offset < _bytes.Length; offset += 8)
        {
            BitConverter.TryWriteBytes(_bytes.AsSpan((int)offset), Word(offset, version));
        }

        return this;
    }

    /// <summary>Fills one block with words of another version.</summary>
    /// <param name="block">The block's number.</param>
    /// <param name="version">The version.</param>
    public void StampBlock(long block, int version)
    {
        for (var offset = block * BlockSize; offset < (block + 1) * BlockSize; offset += 8)
        {
            BitConverter.TryWriteBytes(_bytes.AsSpan((int)offset), Word(offset, version));
        }
    }

    /// <summary>A copy of the bytes of a range.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="count">How many.</param>
    /// <returns>The copy.</returns>
    public byte[] Copy(long offset, long count) => _bytes.AsSpan((int)offset, (int)count).ToArray();

    /// <summary>Makes reads that touch any of these blocks fail, in the place of <see cref="BeforeRead"/>.</summary>
    /// <param name="blocks">The blocks' numbers.</param>
    public void Break(params long[] blocks) => BeforeRead = run =>
        blocks.Any(block => run.Overlaps(new BlockRun(block * BlockSize, BlockSize)))
            ? throw new IOException("the disk is broken.")
            : Task.CompletedTask;

    /// <summary>Takes <see cref="BeforeRead"/> away.</summary>
    public void Heal() => BeforeRead = null;

    /// <summary>The word at a byte address of a stamped device.</summary>
    /// <param name="offset">The address.</param>
    /// <param name="version">The version that it was stamped with.</param>
    /// <returns>The word.</returns>
    public static ulong Word(long offset, int version = 0) =>
        ((ulong)offset + 1) * 0x9E3779B97F4A7C15 ^ (ulong)version << 48;

    private void Check(BlockRun run, long buffers)
    {
        if (run.Offset % BlockSize != 0 || run.Length % BlockSize != 0 || run.Length != buffers)
        {
            throw new ArgumentException($"{run} with buffers of {buffers} bytes is no run of blocks of {BlockSize} bytes.", nameof(run));
        }
    }
}
