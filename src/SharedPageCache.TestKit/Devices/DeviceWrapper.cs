using System.Diagnostics;

namespace SharedPageCache.TestKit.Devices;

/// <summary>
/// A device in front of another one, to which it hands every call: the base of devices that do one bad thing each.
/// Put several in a row to have several bad things.
/// </summary>
/// <param name="inner">The device behind it.</param>
[DebuggerDisplay("{GetType().Name,nq} before {Inner}")]
public abstract class DeviceWrapper(IBlockDevice inner) : IBlockDevice
{
    /// <summary>The device behind it.</summary>
    public IBlockDevice Inner { get; } = inner ?? throw new ArgumentNullException(nameof(inner));

    /// <inheritdoc/>
    public virtual int BlockSize => Inner.BlockSize;

    /// <inheritdoc/>
    public virtual long Length => Inner.Length;

    /// <summary>What is done before a call is handed on. It may throw, or take its time.</summary>
    /// <param name="kind">Which kind it is.</param>
    /// <param name="run">The blocks; none for a flush.</param>
    /// <returns>A task to wait for.</returns>
    protected virtual ValueTask BeforeAsync(DeviceCalls kind, BlockRun run) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public virtual int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        var before = BeforeAsync(DeviceCalls.Read, run);
        if (!before.IsCompletedSuccessfully)
        {
            before.AsTask().GetAwaiter().GetResult();
        }

        return Inner.Read(run, origin, buffers);
    }

    /// <inheritdoc/>
    public virtual async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        await BeforeAsync(DeviceCalls.Read, run).ConfigureAwait(false);
        return await Inner.ReadAsync(run, origin, buffers, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public virtual async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        await BeforeAsync(DeviceCalls.Write, run).ConfigureAwait(false);
        return await Inner.WriteAsync(run, origin, buffers, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public virtual async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await BeforeAsync(DeviceCalls.Flush, BlockRun.None).ConfigureAwait(false);
        await Inner.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
