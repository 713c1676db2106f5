namespace SharedPageCache.Reflink;

/// <summary>
/// The blocks of a file system, read through the files that show them: the block device itself belongs to root, and does
/// not agree with a mounted file system.
/// </summary>
/// <remarks>
/// A file that is closed or found changed while it is read fails the load and has advanced its sequence by then: the
/// cache lets whoever else waits for the block load it through a file of their own. Writes go to the files that show the
/// run, at their own offsets: the file system chooses the blocks.
/// </remarks>
internal sealed class ReflinkDevice(ReflinkVolume volume, int blockSize) : IBlockDevice
{
    /// <inheritdoc/>
    public int BlockSize { get; } = blockSize;

    /// <summary>
    /// Nobody but the file system knows how far its addresses go (those of btrfs are not those of any disk); this is the
    /// largest address that the cache can name with its smallest pages.
    /// </summary>
    public long Length => 1L << 56;

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        FileOf(origin).ReadAsync(run, origin.FileOffset, buffers, blocking: false, cancellationToken);

    /// <inheritdoc/>
    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        var read = FileOf(origin).ReadAsync(run, origin.FileOffset, buffers, blocking: true, CancellationToken.None);
        return read.IsCompletedSuccessfully ? read.Result : read.AsTask().GetAwaiter().GetResult();
    }

    /// <inheritdoc/>
    public async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        if (volume.Placement is not { } placement)
        {
            throw new NotSupportedException($"Files of {volume.Name} are only read.");
        }

        await placement.WriteAsync(run, buffers).ConfigureAwait(false);
        return (int)run.Length;
    }

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellationToken) => volume.Placement?.SyncAsync() ?? ValueTask.CompletedTask;

    private ReflinkFile FileOf(BlockOrigin origin) =>
        origin.File is ReflinkFile file && file.Volume == volume
            ? file
            : throw new ArgumentException($"{origin.File} is not a file of {volume.Name}.", nameof(origin));
}
