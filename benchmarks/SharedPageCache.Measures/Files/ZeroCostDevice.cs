namespace SharedPageCache.Measures.Files;

/// <summary>
/// A device whose reads cost nothing: what remains is the cache's own cost. A read changes one word of each page, so that
/// the page has memory of its own behind it.
/// </summary>
public sealed class ZeroCostDevice(long length) : IBlockDevice
{
    public int BlockSize => 4096;

    public long Length => length;

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken) =>
        new(Read(run, origin, buffers));

    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        for (var i = 0; i < buffers.Count; i++)
        {
            buffers[i].Span[0] = 1;
        }

        return (int)run.Length;
    }
}
