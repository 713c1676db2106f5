using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>
/// Steps of two kinds that both change what a file shows, in one another's way: range clones, merges, pages leased for writing,
/// writes around the cache, pages taken over, bad blocks. Letters: the tables of hazards.
/// </summary>
internal static class CombinedScenarios
{
    public static IEnumerable<Scenario> All => [.. OfRanges, .. OfMerges, .. OfWritesAround, .. OfBlocks];

    private static IEnumerable<Scenario> OfRanges =>
    [
        new("range clone of dirty pages x write lease of what they replace", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            source.Write(1);
            return universe.Run(
                () => file.CloneRange(source, 0, 0, 2),
                () => file.LeaseForWrite(0, 0, static () => { }),
                () => file.Read(0));
        }, Bounded: true),
        new("range clone under a write lease: the lease is refused", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            file.Write(1);
            return universe.Run(
                () => WriteUniverse.Require(
                    !file.LeaseForWrite(0, 0, () => file.CloneRange(source, 0, 0)), "a lease of a page that a dirty one has replaced was committed"),
                () => WriteUniverse.Require(
                    !file.LeaseForWrite(1, 1, () => file.CloneRange(source, 1, 1)), "a lease of a page that a clean one has replaced was committed"),
                file.Flush);
        }),
        new("range clone x write lease of the source", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () => file.CloneRange(source, 0, 0, 2),
                () => source.LeaseForWrite(0, 1, static () => { }),
                () => source.LeaseForWrite(1, 0, static () => { }));
        }),
        new("range clone with edges x write leases of edge and middle", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            source.Write(1);
            return universe.Run(
                () => file.CloneHalves(source, 0, 0, 3),
                () => file.LeaseForWrite(1, 1, static () => { }),
                () => source.LeaseForWrite(1, 0, () => file.Read(0)));
        }),
        new("range clone inside one file x write lease of both places", () =>
        {
            var (universe, _, file) = Open();
            file.Write(0);
            return universe.Run(
                () => file.CloneRange(file, 0, 1),
                () => file.LeaseForWrite(1, 0, static () => { }),
                () => file.LeaseForWrite(0, 1, static () => { }));
        }),
        new("dedupe x write lease", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            file.CloneRange(source, 0, 0);
            return universe.Run(
                () => file.Dedupe(source, 0, 0),
                () => file.LeaseForWrite(0, 0, static () => { }),
                () => source.LeaseForWrite(0, 1, static () => { }));
        }),
        new("range clone x take-over of what is shared", () =>
        {
            var (universe, source, file) = Open();
            source.ReadAll();
            return universe.Run(
                () =>
                {
                    file.CloneRange(source, 0, 0, 2);
                    file.Read(0);
                    file.WriteHalf(1, 1);
                },
                () => source.WriteHalf(0, 0),
                () => source.WriteHalf(1, 0));
        }),
        new("range clone x take-over of what is replaced x read", () =>
        {
            var (universe, source, file) = Open();
            file.ReadAll();
            source.Write(1);
            return universe.Run(
                () => file.CloneRange(source, 0, 0, 2),
                () => file.WriteHalf(0, 0),
                () => file.WriteHalf(1, 1));
        }),
    ];

    private static IEnumerable<Scenario> OfMerges =>
    [
        new("merge x range clone into the origin", () =>
        {
            var (universe, file, branch) = Branch();
            var source = universe.Open(20, 21);
            source.Write(0);
            return universe.Run(
                () => branch.MergeInto(file),
                () => file.CloneRange(source, 0, 0, 2),
                () => file.Read(0));
        }, Bounded: true),
        new("range clone into the origin, then merge: refused", () =>
        {
            var (universe, file, branch) = Branch();
            var source = universe.Open(20, 21);
            source.Write(0);
            return universe.Run(
                () =>
                {
                    file.CloneRange(source, 0, 0, 1);
                    WriteUniverse.Require(!branch.MergeInto(file), "a branch was merged over a range that its origin had taken over since");
                },
                () => source.WriteHalf(0, 1),
                file.Flush);
        }),
        new("merge x range clone into the branch: all or nothing", () =>
        {
            var (universe, file, branch) = Branch();
            var source = universe.Open(20, 21);
            source.Write(0);
            return universe.Run(
                () => branch.MergeLiveInto(file),
                () => branch.CloneRange(source, 0, 0, 2),
                () =>
                {
                    var (first, second) = (file.Clone() is var clone ? clone.Read(0) : [], clone.Read(1));
                    WriteUniverse.Require(
                        (first[0].Number == 4) == (second[0] == WriteDevice.Original(21)), $"half a range clone was merged: {first[0]} and {second[0]}");
                });
        }),
        new("merge x range clone from the branch to a third file", () =>
        {
            var (universe, file, branch) = Branch();
            var third = universe.Open(20, 21);
            return universe.Run(
                () =>
                {
                    branch.MergeInto(file);
                    file.WriteHalf(0, 0);
                },
                () =>
                {
                    third.CloneRange(branch, 0, 0, 2);
                    third.WriteHalf(0, 1);
                    third.Read(0);
                },
                () => third.WriteHalf(1, 0));
        }),
        new("merge x range clone with edges from the origin to the branch's relative", () =>
        {
            var (universe, file, branch) = Branch();
            var witness = file.Clone();
            return universe.Run(
                () => branch.MergeInto(file),
                () => witness.CloneHalves(file, 1, 1, 3),
                () => file.Read(1));
        }),
        new("merge under a write lease: the lease is refused", () =>
        {
            var (universe, file, branch) = Branch();
            return universe.Run(
                () => WriteUniverse.Require(
                    !file.LeaseForWrite(1, 0, () => branch.MergeInto(file)), "a lease of a page that a merge has replaced was committed"),
                file.Flush);
        }),
        new("write lease is committed, then merge: refused", () =>
        {
            var (universe, file, branch) = Branch();
            return universe.Run(
                () =>
                {
                    WriteUniverse.Require(file.LeaseForWrite(0, 0, static () => { }), "a lease was refused though nothing was cut");
                    WriteUniverse.Require(!branch.MergeInto(file), "a branch was merged over a lease that its origin had committed since");
                },
                file.Flush);
        }),
        new("merge x write lease of the origin", () =>
        {
            var (universe, file, branch) = Branch();
            return universe.Run(
                () => branch.MergeInto(file),
                () => file.LeaseForWrite(0, 0, static () => { }),
                () => file.LeaseForWrite(1, 1, static () => { }));
        }, Bounded: true),
        new("merge x write lease of the branch", () =>
        {
            var (universe, file, branch) = Branch();
            return universe.Run(
                () => branch.MergeLiveInto(file),
                () => branch.LeaseForWrite(0, 1, static () => { }),
                () => file.Read(0));
        }),
        new("clone x write lease x merge of the clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                () => file.LeaseForWrite(0, 0, static () => { }),
                () =>
                {
                    var branch = file.Clone();
                    branch.WriteHalf(0, 1);
                    branch.MergeInto(file);
                },
                () => file.WriteHalf(1, 0));
        }),
        new("merge x take-over of the origin's page", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.ReadAll();
            var branch = file.Clone();
            branch.Write(1);
            return universe.Run(
                () =>
                {
                    branch.MergeInto(file);
                    branch.Close();
                },
                () => file.WriteHalf(0, 0),
                () =>
                {
                    file.WriteHalf(1, 1);
                    file.Read(0);
                });
        }),
        new("merge x dedupe of origin and branch", () =>
        {
            var (universe, file, branch) = Branch();
            var third = universe.Open(20, 21);
            third.CloneRange(branch, 0, 0, 2);
            return universe.Run(
                () => branch.MergeInto(file),
                () => file.Dedupe(third, 0, 0, 2),
                () => third.WriteHalf(0, 0));
        }),
        new("merge x writes that wait for room", () =>
        {
            var universe = new WriteUniverse(frames: 8);
            var file = universe.Open(10, 11, 12);
            var branch = file.Clone();
            branch.Write(0);
            return universe.Run(
                () => branch.MergeLiveInto(file),
                () =>
                {
                    branch.Write(1);
                    branch.Write(2);
                },
                () =>
                {
                    file.WriteHalf(2, 0);
                    file.WriteHalf(1, 0);
                });
        }),
    ];

    private static IEnumerable<Scenario> OfWritesAround =>
    [
        new("write around x range clone x flush", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            file.Write(1);
            return universe.Run(
                () => file.WriteAround(0, 2),
                () =>
                {
                    file.CloneRange(source, 0, 1);
                    file.Read(1);
                },
                file.Flush);
        }),
        new("write around of the source x range clone x flush", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () => source.WriteAround(0, 2),
                () =>
                {
                    file.CloneRange(source, 0, 0, 2);
                    var (first, second) = (file.Read(0), file.Read(1));
                    WriteUniverse.Require(
                        first[0] == second[0] || (first[0].Number == 1 && second[0] == WriteDevice.Original(11)),
                        $"a range clone shows half a write: {first[0]} and {second[0]}");
                },
                source.Flush);
        }),
        new("write around x range clone with edges", () =>
        {
            var (universe, source, file) = Open();
            source.Write(0);
            return universe.Run(
                () => source.WriteAround(0, 2),
                () => file.CloneHalves(source, 1, 1, 2),
                () => file.WriteAround(1));
        }),
        new("write around x write lease", () =>
        {
            var (universe, _, file) = Open();
            file.Write(0);
            return universe.Run(
                () => file.WriteAround(0, 2),
                () => file.LeaseForWrite(0, 1, static () => { }),
                () => file.LeaseForWrite(1, 0, static () => { }));
        }, Bounded: true),
        new("write around x merge", () =>
        {
            var (universe, file, branch) = Branch();
            return universe.Run(
                () => branch.MergeInto(file),
                () => file.WriteAround(0, 2),
                () => file.Clone().ReadAll());
        }),
        new("write around of the branch x merge x write of the origin", () =>
        {
            var (universe, file, branch) = Branch();
            return universe.Run(
                () => branch.MergeLiveInto(file),
                () => branch.WriteAround(0, 2),
                () =>
                {
                    file.Read(1);
                    file.Flush();
                });
        }),
        new("write around x take-over x read", () =>
        {
            var (universe, _, file) = Open();
            file.ReadAll();
            return universe.Run(
                () => file.WriteAround(0),
                () => file.WriteHalf(0, 1),
                () => file.WriteHalf(1, 0));
        }),
    ];

    private static IEnumerable<Scenario> OfBlocks =>
    [
        new("bad block x take-over", () =>
        {
            var universe = new WriteUniverse();
            universe.Device.Guard = static _ => { };
            var (file, stranger) = (universe.Open(10, 11), universe.Open(10));
            file.Read(0);
            return universe.Run(
                () => stranger.BreakAndRepair(0),
                () =>
                {
                    file.WriteHalfIfGood(0, 0);
                    file.WriteHalfIfGood(0, 1);
                },
                () => file.ReadIfGood(1));
        }, Bounded: true),
        new("bad block x range clone", () =>
        {
            var universe = new WriteUniverse();
            universe.Device.Guard = static _ => { };
            var (source, file) = (universe.Open(10, 11), universe.Open(20, 21));
            source.Read(0);
            return universe.Run(
                () => source.BreakAndRepair(0),
                () =>
                {
                    file.CloneHalvesIfGood(source, 0, 0, 2);
                    file.ReadIfGood(0);
                },
                () => file.ReadIfGood(1));
        }),
        new("bad block x range clone with edges", () =>
        {
            var universe = new WriteUniverse();
            universe.Device.Guard = static _ => { };
            var (source, file) = (universe.Open(10, 11), universe.Open(20, 21));
            return universe.Run(
                () => source.BreakAndRepair(0),
                () => file.CloneHalvesIfGood(source, 1, 1, 3),
                () => file.Read(0));
        }),
        new("bad block x merge", () =>
        {
            var universe = new WriteUniverse();
            universe.Device.Guard = static _ => { };
            var (file, stranger) = (universe.Open(10, 11), universe.Open(10));
            var branch = file.Clone();
            branch.Write(1);
            return universe.Run(
                () => stranger.BreakAndRepair(0),
                () => branch.MergeLiveInto(file),
                () => file.WriteHalfIfGood(0, 1));
        }),
        new("direct write x range clone x flush", () =>
        {
            var (universe, source, file) = Open();
            var stranger = universe.Open(30);
            source.Write(0);
            stranger.Read(0);
            return universe.Run(
                () => stranger.WriteDirectly(0),
                () =>
                {
                    file.CloneRange(source, 0, 0, 2);
                    file.Flush();
                },
                () => stranger.Read(0));
        }),
    ];

    /// <summary>Two files over different blocks.</summary>
    private static (WriteUniverse Universe, WrittenFile Source, WrittenFile File) Open()
    {
        var universe = new WriteUniverse();
        return (universe, universe.Open(10, 11), universe.Open(20, 21));
    }

    /// <summary>A file with a dirty page, and a branch in which that page and another one were written.</summary>
    private static (WriteUniverse Universe, WrittenFile File, WrittenFile Branch) Branch()
    {
        var universe = new WriteUniverse();
        var file = universe.Open(10, 11);
        file.Write(0);
        var branch = file.Clone();
        branch.Write(0);
        branch.Write(1);
        return (universe, file, branch);
    }
}
