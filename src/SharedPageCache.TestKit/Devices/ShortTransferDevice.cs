using System.Diagnostics;
using SharedPageCache.TestKit.Runs;

namespace SharedPageCache.TestKit.Devices;

/// <summary>
/// A device that reads and writes less than it was asked for, as the port allows: at least one block, often with some odd
/// bytes behind it that are not worth anything to the caller.
/// </summary>
/// <param name="inner">The device behind it.</param>
/// <param name="seed">How much less.</param>
/// <param name="calls">Whether reads, writes or both are short.</param>
[DebuggerDisplay("{ShortTransfers} short transfers")]
public sealed class ShortTransferDevice(IBlockDevice inner, ulong seed, DeviceCalls calls = DeviceCalls.Read | DeviceCalls.Write)
    : DeviceWrapper(inner)
{
    private readonly Dice _dice = new(seed);
    private long _shortTransfers;

    /// <summary>Transfers that were cut so far.</summary>
    public long ShortTransfers => Interlocked.Read(ref _shortTransfers);

    /// <inheritdoc/>
    public override int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        var (blocks, told) = Cut(DeviceCalls.Read, run);
        var read = blocks.Length == run.Length ? Inner.Read(run, origin, buffers) : Inner.Read(blocks, origin, buffers.First((int)blocks.Length));
        return (int)Math.Min(read, told);
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        var (blocks, told) = Cut(DeviceCalls.Read, run);
        var part = blocks.Length == run.Length ? buffers : buffers.First((int)blocks.Length);
        return (int)Math.Min(await Inner.ReadAsync(blocks, origin, part, cancellationToken).ConfigureAwait(false), told);
    }

    /// <inheritdoc/>
    public override async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        var (blocks, told) = Cut(DeviceCalls.Write, run);
        var part = blocks.Length == run.Length ? buffers : buffers.First((int)blocks.Length);
        return (int)Math.Min(await Inner.WriteAsync(blocks, origin, part, cancellationToken).ConfigureAwait(false), told);
    }

    /// <summary>The blocks that are really transferred, and the bytes that are told.</summary>
    private (BlockRun Blocks, long Told) Cut(DeviceCalls call, BlockRun run)
    {
        if ((calls & call) == 0 || !run.IsSome || run.Length <= BlockSize)
        {
            return (run, run.Length);
        }

        lock (_dice)
        {
            if (_dice.OneIn(3))
            {
                return (run, run.Length);
            }

            Interlocked.Increment(ref _shortTransfers);
            var told = BlockSize + _dice.Below(run.Length - BlockSize);
            return (new BlockRun(run.Offset, (told + BlockSize - 1) / BlockSize * BlockSize), told);
        }
    }
}
