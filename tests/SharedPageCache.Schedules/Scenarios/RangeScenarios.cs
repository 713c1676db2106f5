using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Range clones that meet writes, clones, changes of shape, write-back, and each other. Letters: the tables of hazards.</summary>
internal static class RangeScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("range clone of a dirty page x writes of the source", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () =>
                {
                    file.CloneRange(source, 0, 1);
                    file.Read(1);
                    file.Read(1);
                },
                () =>
                {
                    source.WriteHalf(0, 0);
                    source.WriteHalf(0, 1);
                });
        }, Bounded: true),
        new("range clone of clean pages x write of the source", () =>
        {
            var (universe, source, file) = Open();
            source.Read(0);
            return universe.Run(
                () =>
                {
                    file.CloneRange(source, 0, 0, 2);
                    file.Read(0);
                },
                () => source.WriteHalf(0, 1),
                () => source.Write(1));
        }),
        new("range clone sees a write of several pages whole or not at all", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () => source.WritePages(0, 2),
                () =>
                {
                    file.CloneRange(source, 0, 0, 2);
                    var (first, second) = (file.Read(0), file.Read(1));
                    WriteUniverse.Require(
                        first[0] == second[0] || (first[0].Number == 1 && second[0] == WriteDevice.Original(11)),
                        $"a range clone shows half a write: {first[0]} and {second[0]}");
                });
        }),
        new("range clone x clone of the destination: all or nothing", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () => file.CloneRange(source, 0, 0, 2),
                () =>
                {
                    var clone = file.Clone();
                    var (first, second) = (clone.Read(0), clone.Read(1));
                    WriteUniverse.Require(
                        (first[0] == WriteDevice.Original(20)) == (second[0] == WriteDevice.Original(21)),
                        $"a clone shows half a range clone: {first[0]} and {second[0]}");
                },
                () => source.Clone().ReadAll());
        }),
        new("range clone x writes of the destination", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            file.Write(0);
            return universe.Run(
                () => file.CloneRange(source, 0, 0, 2),
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.WriteHalf(0, 1);
                },
                () =>
                {
                    file.WriteHalf(1, 0);
                    file.Read(1);
                });
        }),
        new("range clone inside one file x writes of both places (A3.3)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.Write(0);
            return universe.Run(
                () =>
                {
                    file.CloneRange(file, 0, 2);
                    file.WriteHalf(0, 0);
                    file.Read(2);
                },
                () =>
                {
                    file.WriteHalf(2, 1);
                    file.Read(0);
                });
        }, Bounded: true),
        new("range clone of a shared subtree x writes of all (A3.4)", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            var clone = source.Clone();
            source.Write(1);
            return universe.Run(
                () =>
                {
                    file.CloneRange(source, 0, 0, 2);
                    file.WriteHalf(1, 0);
                },
                () =>
                {
                    source.WriteHalf(0, 1);
                    source.WriteHalf(1, 1);
                },
                () =>
                {
                    clone.WriteHalf(0, 0);
                    clone.ReadAll();
                });
        }),
        new("range clone x flush of the source", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () =>
                {
                    file.CloneRange(source, 0, 1);
                    file.Read(1);
                },
                source.Flush,
                () => source.WriteHalf(0, 0));
        }),
        new("range clone x flush of a third file: a crash shows nothing foreign", () =>
        {
            var (universe, source, file) = Open();
            var other = universe.Open(30);
            other.Write(0);
            source.Write(0);
            file.Write(1);
            return universe.Run(() => file.CloneRange(source, 0, 0, 2), other.Flush, () => file.Read(0));
        }),
        new("range clone over a page that a flush owes (C6)", () =>
        {
            var (universe, source, file) = Open();
            file.Write(0);
            return universe.Run(
                file.Flush,
                () =>
                {
                    source.Write(0);
                    file.CloneRange(source, 0, 0);
                },
                () => source.Read(0));
        }),
        new("range clone over a page that is being written back", () =>
        {
            var (universe, source, file) = Open();
            file.Write(0);
            file.Write(1);
            return universe.Run(
                file.Flush,
                () =>
                {
                    file.CloneRange(source, 0, 0);
                    file.Read(0);
                },
                () => file.Read(1));
        }, Bounded: true),
        new("range clone inside one file x its write-back: the newer image is bound", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            file.Write(1);
            return universe.Run(
                file.Flush,
                () =>
                {
                    file.CloneRange(file, 0, 1);
                    file.Read(1);
                });
        }, Bounded: true),
        new("range clone inside one file x its write-back x write over it (C6)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            file.Write(1);
            return universe.Run(
                file.Flush,
                () =>
                {
                    file.CloneRange(file, 0, 1);
                    file.WriteHalf(1, 0);
                });
        }, Bounded: true),
        new("range clone x flush of the destination x write of the source", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () =>
                {
                    file.CloneRange(source, 0, 1);
                    file.Flush();
                },
                () =>
                {
                    source.WriteHalf(0, 0);
                    source.Flush();
                });
        }),
        new("range clone x truncate of the source", () =>
        {
            var (universe, source, file) = Open();
            source.Write(1);
            return universe.Run(
                () => file.CloneRange(source, 0, 0, 2),
                () =>
                {
                    source.Truncate(1);
                    source.Grow(2);
                    source.Read(1);
                },
                () => file.Read(1));
        }),
        new("range clone x truncate of the destination", () =>
        {
            var (universe, source, file) = Open();
            source.Write(1);
            file.Write(1);
            return universe.Run(
                () => file.CloneRange(source, 0, 0, 2),
                () => file.Truncate(1),
                () => file.Clone().ReadAll());
        }),
        new("range clone that grows x write that grows", () =>
        {
            var (universe, source, file) = Open();
            source.Write(1);
            return universe.Run(
                () => file.CloneRange(source, 0, 2, 2),
                () => file.WriteHalf(3, 1),
                () => file.Clone().ReadAll());
        }),
        new("range clone x punch of either", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(() => file.CloneRange(source, 0, 0, 2), () => source.Punch(0), () => file.Punch(0, 2));
        }),
        new("range clone with edges x writes of both", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () => file.CloneHalves(source, 1, 1, 2),
                () =>
                {
                    source.WriteHalf(0, 1);
                    source.WriteHalf(1, 0);
                },
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.WriteHalf(1, 1);
                });
        }),
        new("range clone with edges x punch of the source", () =>
        {
            var (universe, source, file) = Open();
            return universe.Run(() => file.CloneHalves(source, 1, 1, 1), () => source.Punch(0), () => file.Read(0));
        }, Bounded: true),
        new("range clone with an edge sees a punch of several pages whole or not at all", () =>
        {
            var (universe, source, file) = Open();
            return universe.Run(
                () =>
                {
                    file.CloneHalves(source, 1, 1, 3);
                    var (edge, shared) = (file.Read(0)[1], file.Read(1)[0]);
                    WriteUniverse.Require(
                        edge == Sector.Zero == (shared == Sector.Zero), $"a range clone shows half a punch: {edge} and {shared}");
                },
                () => source.Punch(0, 2));
        }),
        new("range clone with edges x punch and flush of the destination", () =>
        {
            var (universe, source, file) = Open();
            file.Write(0);
            return universe.Run(() => file.CloneHalves(source, 0, 0, 1), () => file.Punch(0), file.Flush);
        }),
        new("range clones crosswise", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            file.Write(1);
            return universe.Run(
                () => file.CloneHalves(source, 0, 0, 3),
                () => source.CloneHalves(file, 1, 1, 3),
                () => source.WriteHalf(0, 0));
        }),
        new("range clone into an absent window x clone's fault (A5a)", () =>
        {
            var (universe, source, file) = Open();
            var clone = file.Clone();
            return universe.Run(
                () =>
                {
                    file.CloneRange(source, 0, 0);
                    file.Read(0);
                },
                () =>
                {
                    clone.Read(0);
                    clone.Read(1);
                },
                () => file.Read(1));
        }),
        new("fault under way x range clone away and back (Q9)", () =>
        {
            var (universe, source, file) = Open();
            var twin = universe.Open(20, 21);
            twin.Read(0);
            return universe.Run(
                () =>
                {
                    file.Read(0);
                    file.Read(0);
                },
                () =>
                {
                    file.CloneRange(source, 0, 0);
                    file.CloneRange(twin, 0, 0);
                },
                () => twin.Read(0));
        }),
        new("range clone that the engine refuses x write x read", () =>
        {
            var (universe, source, file) = Open();
            file.Write(0);
            file.Stored.Refuses = true;
            return universe.Run(
                () =>
                {
                    try
                    {
                        file.File.CloneRange(source.File, 0, WrittenFile.Half * 2, Sector.Size);
                    }
                    catch (IOException)
                    {
                        Scheduler.Note("refused");
                    }
                },
                () => file.WriteHalf(0, 1),
                () => file.Read(1));
        }),
        new("range clone x evict x discard of other blocks", () =>
        {
            var (universe, source, file) = Open();
            source.Read(0);
            file.Read(0);
            return universe.Run(
                () => file.CloneHalves(source, 1, 1, 3),
                universe.Evict,
                () => universe.Volume.Discard(new BlockRun(30 * Sector.Size, Sector.Size)));
        }),
        new("range clone x lease of what it replaces", () =>
        {
            var (universe, source, file) = Open();
            file.Write(0);
            return universe.Run(
                () => file.CloneRange(source, 0, 0),
                () => file.Lease(0, static () => { }),
                universe.WriteInBackground);
        }),
        new("range clone x close of the source", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () => file.IfOpen(() => file.CloneRange(source, 0, 1)),
                source.Close,
                file.FlushVolume);
        }),
        new("dedupe of equal pages x writes of both", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            file.CloneRange(source, 0, 0);
            source.Write(1);
            return universe.Run(
                () => file.Dedupe(source, 0, 0),
                () =>
                {
                    source.WriteHalf(0, 0);
                    source.Read(0);
                },
                () =>
                {
                    file.WriteHalf(0, 1);
                    file.Read(0);
                });
        }),
        new("dedupe of equal pages x flush x write", () =>
        {
            var (universe, source, file) = Open();
            file.CloneHalves(source, 0, 0, 1);
            file.CloneHalves(source, 1, 1, 1);
            return universe.Run(
                () => file.Dedupe(source, 0, 0),
                file.Flush,
                () => file.WriteHalf(0, 1));
        }),
    ];

    /// <summary>Two files of two pages, in blocks of their own.</summary>
    private static (WriteUniverse Universe, WrittenFile Source, WrittenFile File) Open()
    {
        var universe = new WriteUniverse();
        return (universe, universe.Open(10, 11), universe.Open(20, 21));
    }
}
