using System.Diagnostics;

namespace SharedPageCache.TestKit.Devices;

/// <summary>
/// A device that fails one of its calls, or all from that one on. Run a scenario with n = 1, 2, … until it no longer fails,
/// once and for ever, and every call of it has failed.
/// </summary>
/// <param name="inner">The device behind it.</param>
/// <param name="calls">The kinds of calls that count and fail.</param>
[DebuggerDisplay("{Calls} calls, fails at {FailAt}, has failed {Failures}")]
public sealed class FailNthCallDevice(IBlockDevice inner, DeviceCalls calls = DeviceCalls.All) : DeviceWrapper(inner)
{
    private long _calls;
    private long _failures;

    /// <summary>Which call fails, counted from 1; 0 (the default) for none.</summary>
    public long FailAt { get; set; }

    /// <summary>Whether all calls after it fail too, until <see cref="Heal"/>.</summary>
    public bool Forever { get; set; }

    /// <summary>What is thrown. Default an <see cref="IOException"/>.</summary>
    public Func<DeviceCalls, BlockRun, Exception> Failure { get; set; } =
        static (call, run) => new IOException($"The device is broken: {call} of {run}.");

    /// <summary>Calls so far that count.</summary>
    public long Calls => Interlocked.Read(ref _calls);

    /// <summary>Calls that have failed.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>From now on nothing fails.</summary>
    public void Heal() => (FailAt, Forever) = (0, false);

    /// <inheritdoc/>
    protected override ValueTask BeforeAsync(DeviceCalls kind, BlockRun run)
    {
        if ((kind & calls) == 0)
        {
            return ValueTask.CompletedTask;
        }

        var number = Interlocked.Increment(ref _calls);
        var (failAt, forever) = (FailAt, Forever);
        if (failAt > 0 && (number == failAt || (forever && number > failAt)))
        {
            Interlocked.Increment(ref _failures);
            throw Failure(kind, run);
        }

        return ValueTask.CompletedTask;
    }
}
