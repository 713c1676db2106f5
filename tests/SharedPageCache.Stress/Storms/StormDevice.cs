using SharedPageCache.Stress.Support;

namespace SharedPageCache.Stress.Storms;

/// <summary>
/// A device in memory whose blocks are written and read whole (like a disk's sectors), which is slow and faulty as told.
/// What it does not deliver of a read it scribbles over, so that bytes of a failed read are recognised wherever they
/// turn up.
/// </summary>
internal sealed class StormDevice(int blockSize, int blocks, StormFaults faults) : IBlockDevice
{
    private readonly byte[] _bytes = new byte[(long)blockSize * blocks];
    private readonly Lock[] _locks = MakeLocks();
    private long _reads;

    public int BlockSize => blockSize;

    public long Length => _bytes.Length;

    public long Reads => Interlocked.Read(ref _reads);

    public int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        StormFaults.Wait(faults.NextPace());
        return Deliver(run, origin, buffers);
    }

    public ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        var pace = faults.NextPace();
        return pace == Pace.AtOnce
            ? new ValueTask<int>(Deliver(run, origin, buffers))
            : DeliverLaterAsync(pace, run, origin, buffers);
    }

    public void Write(int block, long serial)
    {
        lock (LockOf(block))
        {
            Word.Fill(BytesOf(block), serial, 0);
        }
    }

    public void Copy(int from, int to)
    {
        var content = new byte[blockSize];
        lock (LockOf(from))
        {
            BytesOf(from).CopyTo(content);
        }

        lock (LockOf(to))
        {
            content.CopyTo(BytesOf(to));
        }
    }

    private static Lock[] MakeLocks()
    {
        var locks = new Lock[64];
        for (var i = 0; i < locks.Length; i++)
        {
            locks[i] = new Lock();
        }

        return locks;
    }

    private async ValueTask<int> DeliverLaterAsync(
        Pace pace, BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        await StormFaults.WaitAsync(pace);
        return Deliver(run, origin, buffers);
    }

    private int Deliver(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        Interlocked.Increment(ref _reads);
        var length = buffers.Sum(static buffer => (long)buffer.Length);
        if (length % blockSize != 0 || (run.IsSome && (run.Length != length || run.Offset % blockSize != 0 || run.End > Length)))
        {
            throw new StormFailure($"The cache asks the device for {run} with buffers of {length} bytes.");
        }

        var count = length;
        if (faults.Strikes())
        {
            count = StormFaults.Dice.Below(8) switch
            {
                0 => 0,
                1 => -1,
                2 => length + 1,
                3 => StormFaults.Dice.Below(length),
                4 => StormFaults.Dice.Below(length / blockSize + 1) * blockSize,
                5 => length - 1,
                _ => long.MinValue,
            };
        }

        var position = 0L;
        foreach (var buffer in buffers)
        {
            Fill(run, origin, position, buffer.Span, Math.Clamp(count - position, 0, buffer.Length));
            position += buffer.Length;
        }

        return count == long.MinValue ? throw new IOException("EIO") : (int)count;
    }

    /// <summary>Delivers the first bytes of a buffer and scribbles over the rest.</summary>
    private void Fill(BlockRun run, BlockOrigin origin, long position, Span<byte> buffer, long good)
    {
        buffer[(int)good..].Fill(0xEE);
        buffer = buffer[..(int)good];
        while (!buffer.IsEmpty)
        {
            int part;
            if (run.IsSome)
            {
                var at = run.Offset + position;
                var block = (int)(at / blockSize);
                var inBlock = (int)(at % blockSize);
                part = Math.Min(blockSize - inBlock, buffer.Length);
                lock (LockOf(block))
                {
                    BytesOf(block).Slice(inBlock, part).CopyTo(buffer);
                }
            }
            else
            {
                part = FillOpaque((Inode)origin.File, origin.FileOffset + position, buffer);
            }

            buffer = buffer[part..];
            position += part;
        }
    }

    private int FillOpaque(Inode inode, long offset, Span<byte> buffer)
    {
        var layout = inode.Layout;
        var unit = (offset - layout.Base) / blockSize;
        var inUnit = (int)((offset - layout.Base) % blockSize);
        var part = Math.Min(blockSize - inUnit, buffer.Length);
        var opaque = unit >= 0 && unit < layout.Blocks.Length && layout.Blocks[unit] == Layout.OpaqueUnit;
        if (opaque)
        {
            Word.Fill(buffer[..part], layout.Opaque![unit], inUnit);
        }
        else
        {
            // The unit has an address now. Nobody may believe what is read under the sequence of before.
            buffer[..part].Fill(0xDD);
        }

        return part;
    }

    private Span<byte> BytesOf(int block) => _bytes.AsSpan(block * blockSize, blockSize);

    private Lock LockOf(int block) => _locks[block & (_locks.Length - 1)];
}
