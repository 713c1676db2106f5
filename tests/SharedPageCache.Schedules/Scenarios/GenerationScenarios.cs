using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>
/// Engines that count how often a block was given out, and tell nobody when they give it out again: what is cached of an older generation is another
/// page. And numbers of an engine that have come to their end.
/// </summary>
internal static class GenerationScenarios
{
    /// <summary>So that the second time that a block is given out is the last generation, and the third the first one again.</summary>
    private const uint NearTheEnd = uint.MaxValue - 1;

    public static IEnumerable<Scenario> All =>
    [
        new("generations: block given out again x read (A6f)", () => GivenAgain(1), Bounded: true),
        new("generations: block given out again x read of a stranger x lease", () =>
        {
            var universe = new Universe(firstGenerationOfBlocks: 1);
            var file = universe.Open(10, 11);
            var stranger = universe.Open(10);
            var heir = universe.Open(-1);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    universe.GiveToInANewGeneration(10, heir);
                    heir.ReadNow(0);
                },
                stranger.Read(0),
                () => file.TryLease(0, file.Read(1)));
        }),
        new("generations: block given out again and again x loads x evict", () =>
        {
            var universe = new Universe(frames: 3, firstGenerationOfBlocks: 1);
            var file = universe.Open(10, 11, 12);
            var heir = universe.Open(-1);
            return universe.Run(
                () =>
                {
                    universe.GiveToInANewGeneration(10, heir);
                    heir.ReadNow(0);
                    universe.GiveToInANewGeneration(10, file);
                    file.ReadNow(0);
                },
                file.Read(0),
                () =>
                {
                    file.ReadNow(1);
                    file.ReadNow(2);
                });
        }),
        new("generations: relocate under a new generation x read", () =>
        {
            var universe = new Universe(firstGenerationOfBlocks: 1);
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(() => universe.RelocateWithGenerations(10, 20), file.Read(0), () => file.TryLease(0, static () => { }));
        }),
        new("generations: relocate under a new generation x load of the target", () =>
        {
            var universe = new Universe(firstGenerationOfBlocks: 1);
            var file = universe.Open(10);
            var other = universe.Open(20);
            var heir = universe.Open(-1);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    universe.GiveToInANewGeneration(20, heir);
                    heir.Remap(0, -1);
                    heir.Invalidate();
                    universe.RelocateWithGenerations(10, 20);
                },
                other.Read(0),
                file.Read(0));
        }),
        new("generations: the last one, and the first one again x read", () => GivenAgain(NearTheEnd)),
        new("sequences at their end: clone x invalidate extents x read", () =>
        {
            var universe = new Universe(firstSequence: long.MaxValue);
            var file = universe.Open(10, 11);
            file.ReadNow(1);
            return universe.Run(
                () =>
                {
                    file.Remap(0, 20);
                    file.Invalidate();
                    file.ReadNow(0);
                    file.Remap(0, 30);
                    file.Invalidate();
                },
                () =>
                {
                    var clone = file.Clone();
                    clone.ReadNow(0);
                    clone.ReadNow(0);
                },
                file.Read(0));
        }),
        new("sequences around zero: leaf publish x invalidate extents x clone", () =>
        {
            var universe = new Universe(firstSequence: -1);
            var file = universe.Open(10);
            var clone = file.Clone();
            return universe.Run(
                file.Read(0),
                () =>
                {
                    clone.Remap(0, 20);
                    clone.Invalidate();
                    clone.Remap(0, 30);
                    clone.Invalidate();
                    clone.ReadNow(0);
                },
                () => clone.Clone().ReadNow(0));
        }),
        new("generations: truncate x device write, block in other hands", () =>
        {
            var universe = new WriteUniverse(generations: true);
            var file = universe.Open(10, 11);
            var other = universe.Open(12);
            file.Write(1);
            other.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    file.Truncate(1);
                    other.Flush();
                    other.Read(0);
                },
                () => other.Write(0));
        }),
        new("generations: flushed again and again x evict x read", () =>
        {
            var universe = new WriteUniverse(generations: true);
            var file = universe.Open(10);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(
                () =>
                {
                    file.Flush();
                    file.Write(0);
                    file.Flush();
                    file.Read(0);
                },
                universe.Evict,
                () =>
                {
                    clone.Write(0);
                    clone.Flush();
                    clone.Read(0);
                });
        }),
        new("generations: stranger's load x publish x overwrite", () =>
        {
            var universe = new WriteUniverse(generations: true);
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () =>
                {
                    file.Flush();
                    file.WriteHalf(0, 0);
                    file.Flush();
                },
                () => file.Read(0),
                () =>
                {
                    var clone = file.Clone();
                    clone.Read(0);
                    clone.WriteHalf(0, 1);
                });
        }),
        new("generations: range clone x flush x punch", () =>
        {
            var universe = new WriteUniverse(generations: true);
            var file = universe.Open(10, 11);
            var other = universe.Open(12, 13);
            file.Write(0);
            return universe.Run(
                () => other.CloneRange(file, 0, 0, 2),
                file.Flush,
                () =>
                {
                    file.Punch(0);
                    file.Flush();
                    other.Read(0);
                });
        }),
        new("generations: write around x write x flush", () =>
        {
            var universe = new WriteUniverse(generations: true);
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(() => file.WriteAround(0, 2), () => file.WriteHalf(0, 1), file.Flush);
        }),
    ];

    private static Instance GivenAgain(uint firstGeneration)
    {
        var universe = new Universe(firstGenerationOfBlocks: firstGeneration);
        var file = universe.Open(10, 11);
        var heir = universe.Open(-1);
        var next = universe.Open(-1);
        file.ReadNow(0);
        return universe.Run(
            () =>
            {
                universe.GiveToInANewGeneration(10, heir);
                heir.ReadNow(0);
                universe.GiveToInANewGeneration(10, next);
                next.ReadNow(0);
            },
            () =>
            {
                file.ReadNow(0);
                heir.ReadNow(0);
            });
    }
}
