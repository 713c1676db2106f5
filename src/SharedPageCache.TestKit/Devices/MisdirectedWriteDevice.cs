using System.Diagnostics;

namespace SharedPageCache.TestKit.Devices;

/// <summary>A device that writes to the wrong place, once, and says that all is well: firmware does it, checksums must find it.</summary>
/// <param name="inner">The device behind it.</param>
[DebuggerDisplay("{Writes} writes, number {MisdirectAt} goes astray")]
public sealed class MisdirectedWriteDevice(IBlockDevice inner) : DeviceWrapper(inner)
{
    private long _writes;

    /// <summary>Which write goes astray, counted from 1; 0 (the default) for none.</summary>
    public long MisdirectAt { get; set; }

    /// <summary>How many blocks further it lands, or nearer if negative; at the ends of the device, as far as there is room.</summary>
    public long Distance { get; set; } = 1;

    /// <summary>Writes so far.</summary>
    public long Writes => Interlocked.Read(ref _writes);

    /// <summary>Where the write should have gone that went astray, and where it went.</summary>
    public (BlockRun Wanted, BlockRun Hit)? Misdirected { get; private set; }

    /// <inheritdoc/>
    public override ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _writes) != MisdirectAt)
        {
            return Inner.WriteAsync(run, origin, buffers, cancellationToken);
        }

        var offset = Math.Clamp(run.Offset + Distance * BlockSize, 0, Length - run.Length);
        var hit = new BlockRun(offset, run.Length);
        Misdirected = (run, hit);
        return Inner.WriteAsync(hit, origin, buffers, cancellationToken);
    }
}
