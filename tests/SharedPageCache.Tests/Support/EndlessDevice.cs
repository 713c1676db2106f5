namespace SharedPageCache.Tests.Support;

/// <summary>A device of 16 TiB without memory behind it: each block reads as its own number.</summary>
public sealed class EndlessDevice(int blockSize = 4096) : IBlockDevice
{
    public int BlockSize => blockSize;

    public long Length => 1L << 44;

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        var offset = run.Offset;
        foreach (var buffer in buffers)
        {
            for (var i = 0; i < buffer.Length; i += 8)
            {
                BitConverter.TryWriteBytes(buffer.Span[i..], MemoryDevice.Word(offset + i));
            }

            offset += buffer.Length;
        }

        return new ValueTask<int>((int)run.Length);
    }
}
