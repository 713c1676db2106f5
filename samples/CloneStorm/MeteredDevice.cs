namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// Counts the bytes of file content that really come from a device and go to it, below whatever cache uses it: the
/// figures of this sample are taken here, not from the cache's own statistics. Safe for use by many threads.
/// </summary>
/// <remarks>The engine's own metadata, which is read and written for no file, is not counted.</remarks>
internal sealed class MeteredDevice : IBlockDevice, IDisposable
{
    private readonly FileBlockDevice _device;
    private long _bytesRead;
    private long _bytesWritten;

    /// <summary>Puts a meter on a device and owns it from now on.</summary>
    /// <param name="device">The device.</param>
    public MeteredDevice(FileBlockDevice device)
    {
        _device = device;
    }

    /// <summary>The bytes of content read so far.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <summary>The bytes of content written so far.</summary>
    public long BytesWritten => Interlocked.Read(ref _bytesWritten);

    /// <inheritdoc/>
    public int BlockSize => _device.BlockSize;

    /// <inheritdoc/>
    public long Length => _device.Length;

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        Count(ref _bytesRead, origin, await _device.ReadAsync(run, origin, buffers, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers) =>
        Count(ref _bytesRead, origin, ((IBlockDevice)_device).Read(run, origin, buffers));

    /// <inheritdoc/>
    public async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken) =>
        Count(ref _bytesWritten, origin, await _device.WriteAsync(run, origin, buffers, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellationToken) => _device.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _device.Dispose();

    private static int Count(ref long total, BlockOrigin origin, int bytes)
    {
        if (origin.File is not null)
            Interlocked.Add(ref total, bytes);
        return bytes;
    }
}
