namespace SharedPageCache;

/// <summary>A device of blocks: what a volume lies on.</summary>
/// <remarks>
/// All members may be called from any thread, concurrently. The buffers are page-aligned native memory, so a device
/// opened for unbuffered I/O can use them as they are; runs are multiples of <see cref="BlockSize"/> in place and length,
/// and the lengths of the buffers add up to the length of the run.
/// </remarks>
public interface IBlockDevice
{
    /// <summary>The unit of reading and writing in bytes: a power of two, 512 to 65,536.</summary>
    int BlockSize { get; }

    /// <summary>The size of the device in bytes. It may grow while the volume is attached.</summary>
    long Length { get; }

    /// <summary>Reads a run of blocks into a list of buffers.</summary>
    /// <param name="run">The run; <see cref="BlockRun.None"/> for an opaque extent, which is read through its file.</param>
    /// <param name="origin">The file and offset that the read is for: some engines can only read a block through a file.</param>
    /// <param name="buffers">Where the bytes go, in order.</param>
    /// <param name="cancellationToken">Not cancelled by one waiter's cancellation; only when the volume is detached.</param>
    /// <returns>
    /// The number of bytes read. Fewer than asked is a short read: the cache asks again for the rest, and 0 is an error.
    /// </returns>
    ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken);

    /// <summary>The synchronous twin of <see cref="ReadAsync"/>; blocks the calling thread.</summary>
    /// <inheritdoc cref="ReadAsync"/>
    int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        var read = ReadAsync(run, origin, buffers, CancellationToken.None);
        return read.IsCompletedSuccessfully ? read.Result : read.AsTask().GetAwaiter().GetResult();
    }

    /// <summary>Writes a run of blocks from a list of buffers.</summary>
    /// <param name="run">The run, as answered by <see cref="IPlacementEngine.PlaceAsync"/>.</param>
    /// <param name="origin">
    /// A file and offset that show the run, or will once it is published; the default for a repair of blocks that no open file shows.
    /// </param>
    /// <param name="buffers">The bytes, in order.</param>
    /// <param name="cancellationToken">Cancelled only when the volume is detached.</param>
    /// <returns>The number of bytes written; fewer than given is a short write, which the cache continues.</returns>
    /// <exception cref="NotSupportedException">The device is read-only (the default).</exception>
    ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken) =>
        throw new NotSupportedException($"{GetType().Name} is a read-only device.");

    /// <summary>Makes all completed writes durable (a device flush).</summary>
    /// <param name="cancellationToken">Cancels the wait, not the flush.</param>
    ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
