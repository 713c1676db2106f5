using System.Diagnostics;
using SharedPageCache.TestKit.Devices;

namespace SharedPageCache.TestKit.Faults;

/// <summary>A device whose calls fail by a <see cref="FaultPlan"/>, in every way in which a device can.</summary>
/// <param name="inner">The device behind it.</param>
/// <param name="plan">The plan. Its calls are named "read", "write" and "flush".</param>
[DebuggerDisplay("{_plan}")]
public sealed class FaultyDevice(IBlockDevice inner, FaultPlan plan) : DeviceWrapper(inner)
{
    private readonly FaultPlan _plan = plan ?? throw new ArgumentNullException(nameof(plan));

    /// <summary>Whether awaited calls yield before they begin, so that others come between.</summary>
    public bool Yields { get; set; }

    /// <summary>Called before each call with its name, before it is counted.</summary>
    public Action<string>? Before { get; set; }

    /// <inheritdoc/>
    public override int Read(BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        Before?.Invoke("read");
        var kind = _plan.Strike("read");
        var count = Wanted("read", kind, LengthOf(buffers));
        return Answer(kind, count == 0 ? 0 : Inner.Read(Part(run, count), origin, buffers.First(count)));
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<Memory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        await BeginAsync("read").ConfigureAwait(false);
        var kind = _plan.Strike("read");
        var count = Wanted("read", kind, LengthOf(buffers));
        return Answer(kind, count == 0 ? 0
            : await Inner.ReadAsync(Part(run, count), origin, buffers.First(count), cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public override async ValueTask<int> WriteAsync(
        BlockRun run, BlockOrigin origin, IReadOnlyList<ReadOnlyMemory<byte>> buffers, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        await BeginAsync("write").ConfigureAwait(false);
        var kind = _plan.Strike("write");
        var count = Wanted("write", kind, run.Length);
        return Answer(kind, count == 0 ? 0
            : await Inner.WriteAsync(Part(run, count), origin, buffers.First(count), cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public override async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await BeginAsync("flush").ConfigureAwait(false);
        _plan.Call("flush");
        await Inner.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private static int LengthOf(IReadOnlyList<Memory<byte>> buffers) => buffers.Sum(static buffer => buffer.Length);

    /// <summary>The first bytes of a run; of none, none.</summary>
    private static BlockRun Part(BlockRun run, int count) => run.IsSome ? new BlockRun(run.Offset, count) : run;

    private async ValueTask BeginAsync(string call)
    {
        if (Yields)
        {
            await Task.Yield();
        }

        Before?.Invoke(call);
    }

    /// <summary>How many bytes are really transferred.</summary>
    private int Wanted(string call, FaultKind? kind, long length)
    {
        switch (kind)
        {
            case FaultKind.TransfersNothing:
                return 0;
            case FaultKind.TransfersShort or FaultKind.TransfersHalfABlock:
                return (int)Math.Min(length, BlockSize);
            case null or FaultKind.AnswersBelowZero or FaultKind.AnswersTooMuch:
                return (int)length;
            default:
                FaultPlan.Throw(call, kind.Value);
                return 0;
        }
    }

    /// <summary>What the device says that it has transferred.</summary>
    private int Answer(FaultKind? kind, int transferred) => kind switch
    {
        FaultKind.TransfersHalfABlock => BlockSize / 2,
        FaultKind.AnswersBelowZero => -BlockSize,
        FaultKind.AnswersTooMuch => int.MaxValue,
        _ => transferred,
    };
}
