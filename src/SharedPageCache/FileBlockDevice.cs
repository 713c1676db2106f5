using System.Diagnostics;
using System.Numerics;
using Microsoft.Win32.SafeHandles;
using SharedPageCache.Memory;

namespace SharedPageCache;

/// <summary>A block device in a regular file, or a disk opened as a file.</summary>
/// <remarks>
/// Thread-safe. Reads are vectored (one system call for a run of pages). With direct I/O the operating system keeps no
/// second copy of what the cache holds. A file whose length is no whole number of blocks reads zero in the rest of its
/// last block.
/// </remarks>
[DebuggerDisplay("{Path,nq}, {Length} bytes, block {BlockSize}, direct {IsDirect}")]
public sealed class FileBlockDevice : IBlockDevice, IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly bool _isWritable;

    private FileBlockDevice(SafeFileHandle handle, string path, FileBlockDeviceOptions options, bool isDirect)
    {
        _handle = handle;
        Path = path;
        BlockSize = options.BlockSize;
        IsDirect = isDirect;
        _isWritable = options.Writable;
    }

    /// <summary>The path that was opened.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public int BlockSize { get; }

    /// <summary>Whether reads really go around the operating system's page cache.</summary>
    public bool IsDirect { get; }

    /// <summary>The length in bytes, rounded up to whole blocks.</summary>
    public long Length => (RandomAccess.GetLength(_handle) + BlockSize - 1) & -(long)BlockSize;

    /// <summary>Opens a file as a device.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How; default read-only, direct, blocks of 4,096 bytes.</param>
    /// <returns>The device, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">The path is empty, or the block size is not allowed.</exception>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be opened.</exception>
    public static FileBlockDevice Open(string path, FileBlockDeviceOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new FileBlockDeviceOptions();
        if (options.BlockSize is < PageCacheOptions.MinPageSize or > PageCacheOptions.MaxPageSize
            || !BitOperations.IsPow2(options.BlockSize))
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), options.BlockSize,
                $"BlockSize must be a power of two from {PageCacheOptions.MinPageSize} to {PageCacheOptions.MaxPageSize}.");
        }

        var access = options.Writable ? FileAccess.ReadWrite : FileAccess.Read;
        var share = options.Exclusive ? FileShare.None : FileShare.ReadWrite;
        var handle = File.OpenHandle(path, FileMode.Open, access, share, FileOptions.RandomAccess);
        var direct = options.DirectIO && Platform.TrySetDirect(handle);
        if (direct && !CanReadDirect(handle, options.BlockSize))
        {
            // The flag was taken but not the alignment (a disk with larger logical blocks, an overlay): work buffered.
            handle.Dispose();
            handle = File.OpenHandle(path, FileMode.Open, access, share, FileOptions.RandomAccess);
            direct = false;
        }

        return new FileBlockDevice(handle, path, options, direct);
    }

    /// <inheritdoc/>
    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        var read = buffers.Count == 1
            ? RandomAccess.Read(_handle, buffers[0].Span, run.Offset)
            : RandomAccess.Read(_handle, buffers, run.Offset);
        return Pad(run, buffers, read);
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        var read = buffers.Count == 1
            ? await RandomAccess.ReadAsync(_handle, buffers[0], run.Offset, cancellationToken).ConfigureAwait(false)
            : await RandomAccess.ReadAsync(_handle, buffers, run.Offset, cancellationToken).ConfigureAwait(false);
        return Pad(run, buffers, (int)read);
    }

    /// <inheritdoc/>
    /// <exception cref="UnauthorizedAccessException">The device was opened read-only.</exception>
    public async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        if (!_isWritable)
        {
            throw new UnauthorizedAccessException(
                $"'{Path}' was opened for reading only: {nameof(FileBlockDeviceOptions)}.{nameof(FileBlockDeviceOptions.Writable)} is false.");
        }

        await RandomAccess.WriteAsync(_handle, buffers, run.Offset, cancellationToken).ConfigureAwait(false);
        return (int)run.Length;
    }

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        RandomAccess.FlushToDisk(_handle);
        return ValueTask.CompletedTask;
    }

    /// <summary>Closes the file. Reads under way complete.</summary>
    public void Dispose() => _handle.Dispose();

    private static bool CanReadDirect(SafeFileHandle handle, int blockSize)
    {
        try
        {
            RandomAccess.Read(handle, new AlignedBuffer(blockSize).Memory.Span, 0);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Behind the end of the file the rest of the last block reads zero.</summary>
    private int Pad(BlockRun run, IReadOnlyList<Memory<byte>> buffers, long read)
    {
        var fileLength = RandomAccess.GetLength(_handle);
        if (read == run.Length || run.Offset + read < fileLength)
        {
            return (int)read;
        }

        var position = 0L;
        foreach (var buffer in buffers)
        {
            var from = (int)Math.Clamp(read - position, 0, buffer.Length);
            buffer.Span[from..].Clear();
            position += buffer.Length;
        }

        // No further than the device reaches.
        return (int)Math.Min(run.Length, Math.Max(0, Length - run.Offset));
    }
}
