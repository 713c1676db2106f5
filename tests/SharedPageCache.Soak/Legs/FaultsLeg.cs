extern alias stress;

using SharedPageCache.TestKit.Runs;
using stress::SharedPageCache.Stress;

namespace SharedPageCache.Soak.Legs;

/// <summary>Each call of the device and the engine fails, once and for ever (T2).</summary>
internal sealed class FaultsLeg : ISoakLeg
{
    private static readonly (int Page, int Block)[] Sizes = [(4096, 4096), (4096, 512), (512, 1024)];

    public string Name => "faults";

    public string Unit => "faults";

    public LegBudget Ci => LegBudget.Of(20_000, 15);

    public LegBudget Release => LegBudget.Of(200_000, 3600);

    public LegReport Run(LegBudget budget, Action<string> tell)
    {
        // An enumeration: what it can try, it has tried after one round of each size.
        var tally = new LegTally(budget, Unit);
        return tally.Run(
            (number, _) =>
            {
                var (page, block) = Sizes[number];
                new FaultEnumerationTests(tally.Listener()).Every_call_that_can_fail_fails_once_and_forever(page, block).GetAwaiter().GetResult();
            },
            tell,
            static (_, seed) => Seeds.Replay("tests/SharedPageCache.Stress", nameof(FaultEnumerationTests), seed),
            Sizes.Length);
    }
}
