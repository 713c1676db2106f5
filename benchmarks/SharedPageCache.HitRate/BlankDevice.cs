namespace SharedPageCache.HitRate;

/// <summary>A device that reads nothing, at no cost, and counts what it was asked for.</summary>
internal sealed class BlankDevice(long length) : IBlockDevice
{
    private long _bytesRead;

    public int BlockSize => PageCacheOptions.MinPageSize;

    public long Length => length;

    public long PagesRead(int pageSize) => _bytesRead / pageSize;

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(run, origin, buffers));

    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        _bytesRead += run.Length;
        return (int)run.Length;
    }
}
