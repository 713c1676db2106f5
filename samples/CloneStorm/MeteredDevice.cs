namespace SharedPageCache.Samples.CloneStorm;

/// <summary>
/// Counts the bytes that really come from a device, below whatever cache reads it: the figures of this sample are taken
/// here, not from the cache's own statistics. Safe for use by many threads.
/// </summary>
internal sealed class MeteredDevice : IBlockDevice, IDisposable
{
    private readonly FileBlockDevice _device;
    private long _bytesRead;

    /// <summary>Puts a meter on a device and owns it from now on.</summary>
    /// <param name="device">The device.</param>
    public MeteredDevice(FileBlockDevice device)
    {
        _device = device;
    }

    /// <summary>The bytes read so far.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <inheritdoc/>
    public int BlockSize => _device.BlockSize;

    /// <inheritdoc/>
    public long Length => _device.Length;

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        Count(await _device.ReadAsync(run, origin, buffers, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers) =>
        Count(((IBlockDevice)_device).Read(run, origin, buffers));

    /// <inheritdoc/>
    public void Dispose() => _device.Dispose();

    private int Count(int bytesRead)
    {
        Interlocked.Add(ref _bytesRead, bytesRead);
        return bytesRead;
    }
}
