using SharedPageCache.Cow.Tests.Support;

namespace SharedPageCache.Cow.Tests.Crashes;

/// <summary>Crashes at any scale: the same code in CI and in a soak.</summary>
public static class CrashLeg
{
    private const int Block = 512;

    /// <summary>Up to how many states of a moment are all tried.</summary>
    private const int Most = 4096;

    /// <summary>
    /// All programs of one and of two operations, on the volume and through a cache; then programs of three and long histories drawn by
    /// the seed, until so many crash points were tried, or time is over.
    /// </summary>
    /// <param name="seed">Decides what is drawn.</param>
    /// <param name="points">How many crash points.</param>
    /// <param name="until">When to begin no further workload.</param>
    /// <returns>What was tried.</returns>
    public static async Task<CrashFigures> RunAsync(ulong seed, long points, DateTime until)
    {
        var figures = default(CrashFigures);
        var together = new Lock();
        await Parallel.ForEachAsync(
            Programs(new Dice(seed)).TakeWhile(_ => Tried() < points && DateTime.UtcNow < until),
            async (program, _) =>
            {
                var one = await RunAsync(program);
                lock (together)
                {
                    figures += one;
                }
            });
        return figures;

        long Tried()
        {
            lock (together)
            {
                return figures.Points;
            }
        }
    }

    /// <summary>One workload; what it throws names the program.</summary>
    internal static async Task<CrashFigures> RunAsync(CrashProgram program)
    {
        try
        {
            return await (program.Steps.Length > 0 ? RunShortAsync(program) : RunLongAsync(program.Seed));
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{program}: {error.Message}", error);
        }
    }

    private static IEnumerable<CrashProgram> Programs(Dice dice)
    {
        foreach (var isCached in new[] { false, true })
        {
            var operations = isCached ? 14 : 12;
            for (var one = 0; one < operations; one++)
            {
                yield return new CrashProgram(isCached, [one], 0, 0);
            }
        }

        // Both kinds in turn, so that time that runs out cuts both.
        for (var pair = 0; pair < 14 * 14; pair++)
        {
            yield return new CrashProgram(IsCached: true, [pair / 14, pair % 14], pair % 2, 0);
            if (pair < 12 * 12)
            {
                yield return new CrashProgram(IsCached: false, [pair / 12, pair % 12], pair % 2, 0);
            }
        }

        while (true)
        {
            var isCached = dice.OneIn(2);
            var operations = isCached ? 14 : 12;
            yield return new CrashProgram(isCached, [dice.Below(operations), dice.Below(operations), dice.Below(operations)], dice.Below(4), dice.Below(1 << 20));
            if (dice.OneIn(20))
            {
                yield return new CrashProgram(IsCached: false, [], 0, dice.Below(1 << 20));
            }
        }
    }

    private static async Task<CrashFigures> RunShortAsync(CrashProgram program)
    {
        var device = new SectorDevice(512 << 10, Block);
        using var volume = CowVolume.Create(device);
        await using ICrashWorkload workload = program.IsCached ? await CachedWorkload.BeginAsync(volume) : await PlainWorkload.BeginAsync(volume);
        var watch = new CrashWatch(device, program.Seed, Most);
        watch.Acknowledge(workload.State);
        for (var i = 0; i < program.Steps.Length; i++)
        {
            await workload.DoAsync(program.Steps[i]);
            watch.Note(workload.State);
            if (i == program.Steps.Length - 1 || (program.Commits >> i & 1) != 0)
            {
                await workload.CommitAsync();
                watch.Acknowledge(workload.State);
            }
        }

        // Nothing is unflushed any more: what is there is the last state.
        watch.Look();
        device.Before = null;
        return watch.Figures;
    }

    /// <summary>A random history of many files, blocks that are used again, a volume that fills up.</summary>
    private static async Task<CrashFigures> RunLongAsync(int seed)
    {
        var random = new Random(seed);
        var device = new SectorDevice(1 << 20, Block);
        using var volume = CowVolume.Create(device);
        var model = new Model(volume, seed);
        var watch = new CrashWatch(device, seed, most: 160);
        watch.Acknowledge(model.Copy());
        try
        {
            for (var step = 0; step < 60; step++)
            {
                await model.StepAsync();

                // Place may commit by itself, so each state since the last acknowledged one may be found.
                watch.Note(model.Copy());
                if (random.Next(4) == 0)
                {
                    await (random.Next(3) == 0 ? volume.ReclaimAsync() : volume.CommitAsync());
                    watch.Acknowledge(model.Copy());
                }
            }
        }
        catch (VolumeFullException)
        {
            // Metadata alone has filled it; what was acknowledged is still there.
        }

        watch.Look();
        device.Before = null;
        return watch.Figures;
    }
}
