using SharedPageCache.TestKit.Faults;

namespace SharedPageCache.Stress.Faults;

/// <summary>Random faults under four threads: each plays random steps on files of its own, over one cache, one volume and one plan.</summary>
public static class RandomFaultLeg
{
    private const int Threads = 4;

    private static readonly FaultKind[] _kinds =
    [
        FaultKind.Throws, FaultKind.Throws, FaultKind.NoSpace, FaultKind.CancelsItself, FaultKind.TransfersNothing, FaultKind.TransfersShort,
        FaultKind.TransfersShort, FaultKind.AnswersTooMuch, FaultKind.TokenFires,
    ];

    /// <summary>Rounds until so many faults have struck, or time is over. Between the acts of a round all is healed, flushed, verified and compared.</summary>
    /// <param name="seed">Decides everything but how the threads run.</param>
    /// <param name="faults">How many faults.</param>
    /// <param name="until">When to begin no further round.</param>
    /// <returns>What was tried: a scenario is a round, a run the steps of one thread between two looks.</returns>
    public static async Task<FaultFigures> RunAsync(ulong seed, long faults, DateTime until)
    {
        var figures = default(FaultFigures);
        for (var round = 0UL; figures.Faults < faults && DateTime.UtcNow < until; round++)
        {
            var own = Dice.Mix(seed, round);
            try
            {
                figures += await RoundAsync(own);
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"round {round} of seed 0x{seed:x}: {error.Message}", error);
            }
        }

        return figures;
    }

    /// <summary>What a play throws says what it has done.</summary>
    private static async Task Told(Play play, Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidOperationException($"{error.Message}\n  after {play.History}", error);
        }
    }

    private static async Task<FaultFigures> RoundAsync(ulong seed)
    {
        var dice = new Dice(seed);
        var layout = new Layout(
            dice.Pick(EngineKind.Elsewhere, EngineKind.InPlace, EngineKind.CowVolume), dice.Pick(512, 1024, 4096), dice.OneIn(2),
            dice.Pick(EvictionPolicy.WindowTinyLfu, EvictionPolicy.S3Fifo, EvictionPolicy.Clock), dice.From(40, 200));
        var plan = FaultPlan.Random(dice.Next(), dice.From(5, 25), _kinds);
        var world = new World(layout, plan, blocks: 2048) { IsShared = true };
        var plays = Enumerable.Range(0, Threads).Select(_ => new Play(world)).ToList();
        plan.Cancel = () => plays.ForEach(static play => play.CancelAll());
        plan.Heal();
        foreach (var play in plays)
        {
            await play.BeginAsync("a");
        }

        const int acts = 4;
        for (var act = 0; act < acts; act++)
        {
            plan.Arm();
            var programs = plays.ConvertAll(_ => RandomProgram.Of(dice, steps: 40));
            await Task.WhenAll(plays.Zip(programs, static (play, program) => Task.Run(() => Told(play, () => play.StepsAsync(program))))).WaitAsync(TimeSpan.FromMinutes(5));
            plan.Heal();
            plays.ForEach(static play => play.GiveAll());
            foreach (var play in plays)
            {
                await Told(play, () => play.EndAsync(isLast: false));
            }

            world.Cache.Verify();
        }

        Play.Close(world, plays);
        return new FaultFigures(1, acts * Threads, acts * Threads, plan.Struck);
    }
}
