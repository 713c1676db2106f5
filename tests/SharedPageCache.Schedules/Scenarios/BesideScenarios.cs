using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>What goes past the cache: direct writes, pages written around it, bad blocks and their repair.</summary>
internal static class BesideScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("fill x direct write", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            return universe.Run(() => file.WriteDirectly(0), () => RequireWhole(file, 0), () => file.Read(0));
        }, Bounded: true),
        new("hit x direct write x lease", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Read(0);
            return universe.Run(
                () =>
                {
                    file.WriteDirectly(0);
                    file.Read(0);
                },
                () => RequireWhole(file, 0),
                () => file.Lease(0, () => file.Read(0)));
        }),
        new("fill by a stranger x direct write x evict", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            var stranger = file.OpenStranger();
            return universe.Run(
                () => file.WriteDirectly(0),
                () =>
                {
                    RequireWhole(stranger, 0);
                    stranger.Read(0);
                },
                universe.Evict);
        }),
        new("read around x direct write", () =>
        {
            var universe = new WriteUniverse(frames: 3);
            var file = universe.Open(10, 11, 12);
            file.Read(1);
            file.Read(2);
            var frames = universe.Cache.Engine.Rooms.Frames;
            for (var frame = 0; frame < frames.Count; frame++)
            {
                frames.Pin(frame);
            }

            return universe.Run(
                () => file.WriteDirectly(0),
                () =>
                {
                    RequireWhole(file, 0);
                    RequireWhole(file, 0);
                    for (var frame = 0; frame < frames.Count; frame++)
                    {
                        frames.Unpin(frame);
                    }
                });
        }, Bounded: true),
        new("direct write x write x flush", () =>
        {
            var universe = new WriteUniverse();
            var (file, other) = (universe.Open(10, 11), universe.Open(20));
            file.Read(0);
            return universe.Run(
                () => other.WriteDirectly(0),
                () => file.WriteHalf(0, 1),
                () =>
                {
                    file.Flush();
                    other.Read(0);
                });
        }),
        new("bad block x fill", () =>
        {
            var universe = new WriteUniverse();
            universe.Device.Guard = static _ => { };
            var file = universe.Open(10);
            return universe.Run(() => file.BreakAndRepair(0), () => file.ReadIfGood(0));
        }, Bounded: true),
        new("bad block x fill by a stranger x hit", () =>
        {
            var universe = new WriteUniverse();
            universe.Device.Guard = static _ => { };
            var file = universe.Open(10, 11);
            var stranger = file.OpenStranger();
            return universe.Run(
                () => file.BreakAndRepair(0),
                () =>
                {
                    stranger.ReadIfGood(0);
                    stranger.ReadIfGood(0);
                },
                () =>
                {
                    file.ReadIfGood(0);
                    file.Read(1);
                });
        }),
        new("bad block x write x flush", () =>
        {
            var universe = new WriteUniverse();
            universe.Device.Guard = static _ => { };
            var (file, other) = (universe.Open(10), universe.Open(20));
            file.Write(0);
            return universe.Run(
                () => other.BreakAndRepair(0),
                () =>
                {
                    file.WriteHalf(0, 1);
                    other.ReadIfGood(0);
                },
                file.Flush);
        }),
        new("write around x read", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Read(0);
            return universe.Run(
                () =>
                {
                    file.WriteAround(0);
                    file.Read(0);
                },
                () =>
                {
                    RequireWhole(file, 0);
                    file.Read(0);
                },
                () => file.Lease(0, static () => { }));
        }),
        new("write around x fill", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            return universe.Run(() => file.WriteAround(0), () => file.Read(0));
        }, Bounded: true),
        new("write around x write x flush", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                () => file.WriteAround(0, 2),
                () =>
                {
                    file.WriteHalf(0, 1);
                    file.Read(0);
                },
                file.Flush);
        }),
        new("write around x clone x write by the clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                () => file.WriteAround(0, 2),
                () =>
                {
                    var clone = file.Clone();
                    var (first, second) = (clone.Read(0), clone.Read(1));
                    WriteUniverse.Require(
                        first[0] == second[0] || (first[0].Number == 1 && second[0] == WriteDevice.Original(11)),
                        $"a clone shows half a write: {first[0]} and {second[0]} (C5)");
                    clone.WriteHalf(0, 0);
                    file.Read(0);
                });
        }),
        new("write around, placed in place x clone", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(10);
            return universe.Run(
                () => file.WriteAroundIfPlaced(0),
                () =>
                {
                    var clone = file.Clone();
                    clone.Read(0);
                    universe.Evict();
                    clone.Read(0);
                });
        }, Bounded: true),
        new("write around, placed in place x clone x write by the clone x read", () =>
        {
            var universe = new WriteUniverse(inPlace: true);
            var file = universe.Open(10, 11);
            file.Read(0);
            return universe.Run(
                () => file.WriteAround(0, 2),
                () =>
                {
                    var clone = file.Clone();
                    clone.WriteHalf(0, 1);
                    clone.Flush();
                    clone.Read(0);
                },
                () => RequireWhole(file, 1));
        }),
        new("write around x punch x truncate", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.Write(0);
            return universe.Run(
                () => file.WriteAround(0, 2),
                () =>
                {
                    file.Punch(0);
                    file.Read(0);
                },
                () => file.Truncate(2));
        }),
    ];

    /// <summary>A page that is always written as a whole never shows a half of it.</summary>
    private static void RequireWhole(WrittenFile file, int page)
    {
        var shown = file.Read(page);
        WriteUniverse.Require(shown[0] == shown[1], $"a read shows {shown[0]} and {shown[1]}: torn (C3)");
    }
}
