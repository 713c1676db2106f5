namespace SharedPageCache.Tests.Support;

/// <summary>
/// Stops reads of a device until it is opened, so that a test decides what happens while a load is under way.
/// </summary>
public sealed class ReadGate
{
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Func<BlockRun, bool> _stops;
    private int _waiting;

    private ReadGate(Func<BlockRun, bool>? stops) => _stops = stops ?? (static _ => true);

    /// <summary>Completes when the first read stands before the gate.</summary>
    public Task Arrived => _arrived.Task.Within();

    /// <summary>How many reads have come to the gate.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Stops reads before the device has looked at its bytes.</summary>
    public static ReadGate Before(MemoryDevice device, Func<BlockRun, bool>? stops = null)
    {
        var gate = new ReadGate(stops);
        device.BeforeRead = gate.PassAsync;
        return gate;
    }

    /// <summary>Stops reads when the bytes are in the buffers already: what is discarded now is old in the buffer.</summary>
    public static ReadGate After(MemoryDevice device, Func<BlockRun, bool>? stops = null)
    {
        var gate = new ReadGate(stops);
        device.AfterRead = gate.PassAsync;
        return gate;
    }

    /// <summary>Lets all reads pass, those to come too.</summary>
    public void Open() => _opened.TrySetResult();

    /// <summary>Makes the stopped reads fail.</summary>
    public void Fail(string message) => _opened.TrySetException(new IOException(message));

    private Task PassAsync(BlockRun run)
    {
        if (!_stops(run))
        {
            return Task.CompletedTask;
        }

        Interlocked.Increment(ref _waiting);
        _arrived.TrySetResult();
        return _opened.Task;
    }
}
