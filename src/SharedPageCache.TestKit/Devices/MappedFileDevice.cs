using System.Diagnostics;

namespace SharedPageCache.TestKit.Devices;

/// <summary>
/// A device that is a file of a cache: for a log that is itself cached, for a volume inside a file of another volume. Its
/// pages carry no log number.
/// </summary>
/// <param name="file">The file, of as many bytes as the device shall have; the caller disposes it.</param>
/// <param name="blockSize">The device's block size in bytes.</param>
[DebuggerDisplay("{_file}")]
public sealed class MappedFileDevice(MappedFile file, int blockSize = 512) : IBlockDevice
{
    private readonly MappedFile _file = file ?? throw new ArgumentNullException(nameof(file));

    /// <inheritdoc/>
    public int BlockSize => blockSize;

    /// <inheritdoc/>
    public long Length => _file.Length;

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        var done = 0;
        foreach (var buffer in buffers)
        {
            done += await _file.ReadAsync(run.Offset + done, buffer, cancellationToken).ConfigureAwait(false);
        }

        return done;
    }

    /// <inheritdoc/>
    public async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        var done = 0;
        foreach (var buffer in buffers)
        {
            await _file.WriteAsync(run.Offset + done, buffer, Lsn.None, cancellationToken).ConfigureAwait(false);
            done += buffer.Length;
        }

        return done;
    }

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellationToken) => _file.FlushAsync(cancellationToken);
}
