using System.Diagnostics;

namespace SharedPageCache.TestKit.Devices;

/// <summary>A device that holds calls back until a test lets them go, so that it decides what happens in the middle of an I/O.</summary>
/// <param name="inner">The device behind it.</param>
[DebuggerDisplay("holds {Held} calls")]
public sealed class HeldCallDevice(IBlockDevice inner) : DeviceWrapper(inner)
{
    private readonly Lock _lock = new();
    private Hold? _hold;

    /// <summary>Calls that are held at this moment.</summary>
    public int Held
    {
        get
        {
            lock (_lock)
            {
                return _hold?.Count ?? 0;
            }
        }
    }

    /// <summary>From now on calls are held.</summary>
    /// <param name="calls">Which kinds.</param>
    /// <param name="which">Which of them, by their blocks; null for all.</param>
    /// <returns>Completes when the first call has come and is held.</returns>
    /// <exception cref="InvalidOperationException">Calls are held already.</exception>
    public Task HoldAsync(DeviceCalls calls, Func<BlockRun, bool>? which = null)
    {
        lock (_lock)
        {
            if (_hold is not null)
            {
                throw new InvalidOperationException("Calls are held already.");
            }

            _hold = new Hold(calls, which ?? (static _ => true));
            return _hold.Arrived.Task;
        }
    }

    /// <summary>Lets all calls go, those to come too.</summary>
    /// <param name="failure">What the held ones throw; null to hand them on.</param>
    public void Release(Exception? failure = null)
    {
        Hold? hold;
        lock (_lock)
        {
            (hold, _hold) = (_hold, null);
        }

        if (failure is null)
        {
            hold?.Released.SetResult();
        }
        else
        {
            hold?.Released.SetException(failure);
        }
    }

    /// <inheritdoc/>
    protected override ValueTask BeforeAsync(DeviceCalls kind, BlockRun run)
    {
        lock (_lock)
        {
            if (_hold is not { } hold || (kind & hold.Calls) == 0 || !hold.Which(run))
            {
                return ValueTask.CompletedTask;
            }

            hold.Count++;
            hold.Arrived.TrySetResult();
            return new ValueTask(hold.Released.Task);
        }
    }

    private sealed class Hold(DeviceCalls calls, Func<BlockRun, bool> which)
    {
        public DeviceCalls Calls => calls;

        public Func<BlockRun, bool> Which => which;

        public int Count { get; set; }

        public TaskCompletionSource Arrived { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Released { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
