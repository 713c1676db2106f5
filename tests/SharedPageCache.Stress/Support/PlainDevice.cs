namespace SharedPageCache.Stress.Support;

/// <summary>A device in memory; each block holds the words of its number and version. Fails on the call that a test picks.</summary>
internal sealed class PlainDevice(int blockSize, int blocks) : IBlockDevice
{
    private readonly int[] _versions = new int[blocks];
    private long _reads;

    public int BlockSize => blockSize;

    public long Length => (long)blockSize * blocks;

    public long Reads => Interlocked.Read(ref _reads);

    /// <summary>Called for each read with its number, before it is done; may throw, or say how many bytes to deliver.</summary>
    public Func<BlockRun, int?>? OnRead { get; set; }

    /// <summary>What asynchronous reads wait for before they begin.</summary>
    public Func<Task>? Gate { get; set; }

    public long SerialOf(int block) => block + 1 + ((long)_versions[block] << 24);

    public void Renew(int block) => Interlocked.Increment(ref _versions[block]);

    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers) => Deliver(run, origin, buffers);

    public async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        if (Gate is { } gate)
        {
            await gate();
        }

        return Deliver(run, origin, buffers);
    }

    private int Deliver(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        Interlocked.Increment(ref _reads);
        foreach (var buffer in buffers)
        {
            buffer.Span.Fill(0xEE);
        }

        var length = buffers.Sum(static buffer => (long)buffer.Length);
        var count = OnRead?.Invoke(run) ?? (int)length;
        var start = 0L;
        foreach (var buffer in buffers)
        {
            var good = buffer.Span[..(int)Math.Clamp(count - start, 0, buffer.Length)];
            for (var position = start; !good.IsEmpty;)
            {
                var at = (run.IsSome ? run.Offset : origin.FileOffset) + position;
                var part = Math.Min(good.Length, blockSize - (int)(at % blockSize));
                var serial = run.IsSome ? SerialOf((int)(at / blockSize)) : ((PlainMap)origin.File).OpaqueSerial;
                Word.Fill(good[..part], serial, (int)(at % blockSize));
                good = good[part..];
                position += part;
            }

            start += buffer.Length;
        }

        return count;
    }
}
