using SharedPageCache.TestKit.Runs;

namespace SharedPageCache.TestKit.Devices;

/// <summary>A device of which one call in so many takes its time, so that calls overtake each other.</summary>
/// <param name="inner">The device behind it.</param>
/// <param name="delay">The longest delay.</param>
/// <param name="oneIn">One call in so many is slow.</param>
/// <param name="seed">Which calls, and how slow.</param>
public sealed class SlowCallDevice(IBlockDevice inner, TimeSpan delay, int oneIn, ulong seed) : DeviceWrapper(inner)
{
    private readonly Dice _dice = new(seed);

    /// <inheritdoc/>
    protected override async ValueTask BeforeAsync(DeviceCalls kind, BlockRun run)
    {
        var milliseconds = 0;
        lock (_dice)
        {
            if (_dice.OneIn(oneIn))
            {
                milliseconds = _dice.From(1, Math.Max(1, (int)delay.TotalMilliseconds));
            }
        }

        if (milliseconds > 0)
        {
            await Task.Delay(milliseconds).ConfigureAwait(false);
        }
    }
}
