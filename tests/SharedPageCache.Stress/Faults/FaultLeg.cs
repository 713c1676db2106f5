using SharedPageCache.TestKit.Faults;

namespace SharedPageCache.Stress.Faults;

/// <summary>The enumeration of faults over all scenarios, at any scale: the same code in CI and in a soak.</summary>
public static class FaultLeg
{
    private static readonly FaultKind[] _blockingKinds =
    [
        FaultKind.Throws, FaultKind.NoSpace, FaultKind.CancelsItself, FaultKind.TransfersNothing, FaultKind.TransfersShort,
        FaultKind.TransfersHalfABlock, FaultKind.AnswersBelowZero, FaultKind.AnswersTooMuch,
    ];

    private static (Layout Layout, FaultKind[] Kinds)[] Small { get; } =
    [
        (new Layout(EngineKind.Elsewhere, 512, IsAsync: false), _blockingKinds),
        (new Layout(EngineKind.InPlace, 1024, IsAsync: true, EvictionPolicy.Clock),
            [FaultKind.Throws, FaultKind.CancelsItself, FaultKind.TokenFires, FaultKind.TransfersShort, FaultKind.TransfersNothing]),
        (new Layout(EngineKind.CowVolume, 512, IsAsync: true, EvictionPolicy.WindowTinyLfu), [FaultKind.Throws, FaultKind.TokenFires, FaultKind.TransfersShort]),
        (new Layout(EngineKind.Elsewhere, 4096, IsAsync: true, EvictionPolicy.WindowTinyLfu, IsSealed: true), [FaultKind.Throws, FaultKind.TokenFires]),
    ];

    /// <summary>How many scenarios there are.</summary>
    public static int Scenarios => Faults.Scenarios.All.Count;

    /// <summary>The layouts of CI, in words.</summary>
    public static IReadOnlyList<string> Layouts { get; } = [.. Small.Select(static one => one.Layout.ToString())];

    /// <summary>What CI does in each of its layouts: all scenarios; the plain failure at every call, other kinds at some.</summary>
    /// <param name="layout">Which layout.</param>
    /// <param name="seed">Decides which calls.</param>
    /// <param name="oneIn">One scenario in so many, always the same; 1 for all.</param>
    /// <returns>What was tried.</returns>
    public static Task<FaultFigures> RunOnceAsync(string layout, ulong seed, int oneIn = 1)
    {
        var (found, kinds) = Small.Single(one => one.Layout.ToString() == layout);
        var scenarios = Faults.Scenarios.All.Where((_, i) => i % oneIn == 0);
        return RunAsync(found, scenarios, long.MaxValue, DateTime.MaxValue, new FaultEnumeration { Kinds = kinds, MostStride = 7, Seed = seed });
    }

    /// <summary>
    /// Rounds until so many faults have struck, or time is over: all scenarios, each round in a layout of page size, frames,
    /// policy and engine drawn by the seed, with every kind of fault at every call.
    /// </summary>
    /// <param name="seed">Decides the layouts.</param>
    /// <param name="faults">How many faults.</param>
    /// <param name="until">When to begin no further scenario.</param>
    /// <param name="tell">Hears of each round.</param>
    /// <returns>What was tried.</returns>
    public static async Task<FaultFigures> RunAsync(ulong seed, long faults, DateTime until, Action<string>? tell = null)
    {
        var dice = new Dice(seed);
        var figures = default(FaultFigures);
        while (figures.Faults < faults && DateTime.UtcNow < until)
        {
            var engine = dice.Pick(EngineKind.Elsewhere, EngineKind.InPlace, EngineKind.CowVolume);
            var layout = new Layout(
                engine, dice.Pick(512, 1024, 4096, 16384), dice.OneIn(2),
                dice.Pick(EvictionPolicy.WindowTinyLfu, EvictionPolicy.S3Fifo, EvictionPolicy.Clock), dice.Pick(256, 320),
                IsSealed: engine == EngineKind.Elsewhere && dice.OneIn(3));
            var round = await RunAsync(
                layout, Faults.Scenarios.All.OrderBy(_ => dice.Next()), faults - figures.Faults, until, new FaultEnumeration { Kinds = KindsOf(layout), Seed = dice.Next() });
            figures += round;
            tell?.Invoke($"{layout}: {round}");
        }

        return figures;
    }

    private static async Task<FaultFigures> RunAsync(Layout layout, IEnumerable<Scenario> scenarios, long faults, DateTime until, FaultEnumeration enumeration)
    {
        var figures = default(FaultFigures);
        var (together, failures) = (new Lock(), new List<Exception>());
        await Parallel.ForEachAsync(
            scenarios.TakeWhile(_ => Tried() < faults && DateTime.UtcNow < until),
            new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, Environment.ProcessorCount) },
            async (scenario, _) =>
            {
                try
                {
                    var one = await enumeration.RunAsync($"{scenario.Name} ({layout})", plan => Play.RunAsync(layout, scenario, plan));
                    lock (together)
                    {
                        figures += one;
                    }
                }
                catch (InvalidOperationException failure)
                {
                    lock (together)
                    {
                        failures.Add(failure);
                    }
                }
            });

        // All of them, not only the first: which scenarios fail together says more.
        return failures.Count == 0 ? figures : throw new AggregateException(
            $"{failures.Count} scenarios fail:\n{string.Join('\n', failures.Select(static failure => failure.Message))}", failures);

        long Tried()
        {
            lock (together)
            {
                return figures.Faults;
            }
        }
    }

    /// <summary>A caller that blocks has no token that could fire.</summary>
    private static FaultKind[] KindsOf(Layout layout) => layout.IsAsync ? [.. _blockingKinds, FaultKind.TokenFires] : _blockingKinds;
}
