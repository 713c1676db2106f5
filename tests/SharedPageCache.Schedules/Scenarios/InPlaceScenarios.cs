using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>
/// Pages that are written back where they are: loads of the block under way, frames of it that are cached, clones, and changes of shape
/// meanwhile. The device reads and writes in quarters of a block, so that a torn one is seen.
/// </summary>
internal static class InPlaceScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("in place x load of the block (A6d)", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(10);
            return universe.Run(
                () => file.Read(0),
                () =>
                {
                    file.Write(0);
                    file.Flush();
                    file.Read(0);
                },
                () => file.Read(0));
        }),
        new("in place x load for a lease (A6d)", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(10);
            return universe.Run(
                () => file.Lease(0, () => file.Read(0)),
                () =>
                {
                    file.Write(0);
                    file.Flush();
                });
        }, Bounded: true),
        new("in place x old frame of the block x stranger (A6d)", () =>
        {
            var (universe, file) = CopiedOverItsBlock();
            return universe.Run(
                () =>
                {
                    file.Flush();
                    RequireInPlace(universe);
                    ReadAsStranger(universe, file);
                },
                () => file.Read(0));
        }),
        new("in place x overwrite x clone", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    file.WriteHalf(0, 1);
                    file.Flush();
                },
                () =>
                {
                    var clone = file.Clone();
                    clone.Flush();
                    clone.Read(0);
                });
        }),
        new("in place only until a clone shows the block: both keep their bytes", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(10);
            file.Write(0);
            file.Flush();
            RequireInPlace(universe);
            return universe.Run(
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.Flush();
                    file.Read(0);
                },
                () =>
                {
                    var clone = file.Clone();
                    clone.Read(0);
                    clone.WriteHalf(0, 1);
                    clone.Flush();
                    clone.Read(0);
                });
        }),
        new("in place x punch, block in other hands (A6a)", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(0, 10);
            var other = universe.Open(11);
            file.Write(0);
            other.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    file.Punch(0);
                    file.Flush();
                    other.Clone().Write(0);
                    other.WriteHalf(0, 0);
                    other.Flush();
                },
                () => other.Read(0));
        }),
        new("in place x discard of the block (A6b)", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    try
                    {
                        universe.Volume.Discard(new BlockRun(10 * Sector.Size, Sector.Size));
                    }
                    catch (InvalidOperationException)
                    {
                        Scheduler.Note("the block is the cache's");
                    }
                },
                () => file.Read(0));
        }),
        new("in place x evict x read by an older leaf (A6b, F5)", () =>
        {
            var (universe, file) = CopiedOverItsBlock();
            return universe.Run(
                file.Flush,
                universe.Evict,
                () =>
                {
                    file.Read(0);
                    file.WriteHalf(0, 0);
                    file.Read(0);
                });
        }),
        new("in place: publish that is refused x overwrite", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(10);
            file.Write(0);
            universe.Store.FailingPublishes = 1;
            return universe.Run(() => file.FlushIfSound(), () => file.WriteHalf(0, 1), () => file.FlushIfSound());
        }),
    ];

    /// <summary>A dirty page over a block that it alone shows, while the clean frame of that block is still cached.</summary>
    private static (WriteUniverse Universe, WrittenFile File) CopiedOverItsBlock()
    {
        var universe = new WriteUniverse(inPlace: true);
        var file = universe.Open(10);
        file.Read(0);
        var clone = file.Clone();
        clone.Read(0);
        file.Write(0);
        clone.File.Delete();
        return (universe, file);
    }

    private static void RequireInPlace(WriteUniverse universe) =>
        WriteUniverse.Require(universe.Store.PlacedInPlace > 0, "nothing was placed in place");

    /// <summary>A stranger opens the block that the file has now; nobody writes any more.</summary>
    private static void ReadAsStranger(WriteUniverse universe, WrittenFile file)
    {
        var block = file.Stored.Blocks[0];
        using var stranger = universe.OpenStranger(block);
        var bytes = new byte[Sector.Size];
        stranger.Read(0, bytes);
        WriteUniverse.Require(bytes.AsSpan().SequenceEqual(universe.Device.Now(block)), $"a stranger reads what block {block} does not hold (A6d)");
    }
}
