using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Branches that are merged into the file that they were made of.</summary>
internal static class MergeScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("merge x write of the origin", () =>
        {
            var (universe, file, branch) = Begin();
            return universe.Run(
                () => branch.MergeInto(file),
                () =>
                {
                    file.WriteHalf(0, 1);
                    file.Read(0);
                });
        }, Bounded: true),
        new("write of the origin, then merge: refused", () =>
        {
            var (universe, file, branch) = Begin();
            return universe.Run(
                () =>
                {
                    file.WriteHalf(0, 1);
                    WriteUniverse.Require(!branch.MergeInto(file), "a branch was merged over a write that its origin had got since");
                },
                file.Flush);
        }),
        new("merge x write in place of the origin", () =>
        {
            var (universe, file, branch) = Begin();
            return universe.Run(
                () => branch.MergeInto(file),
                () =>
                {
                    file.Write(1);
                    file.WriteHalf(1, 0);
                    file.Read(1);
                },
                () => file.Read(1));
        }),
        new("merge, then writes by both (A3.5)", () =>
        {
            var (universe, file, branch) = Begin();
            return universe.Run(
                () =>
                {
                    branch.MergeInto(file);
                    branch.WriteHalf(0, 0);
                    branch.Read(0);
                },
                () =>
                {
                    file.Read(0);
                    file.Read(0);
                });
        }, Bounded: true),
        new("merge x clone of the origin sees all or nothing (C5)", () =>
        {
            var (universe, file, branch) = Begin();
            return universe.Run(
                () => branch.MergeInto(file),
                () =>
                {
                    var clone = file.Clone();
                    var (first, second) = (clone.Read(0), clone.Read(1));
                    WriteUniverse.Require(
                        (first[0].Number == 2) == (second[0].Number == 3), $"a clone shows half a merge: {first[0]} and {second[0]} (C5)");
                    clone.WriteHalf(0, 1);
                    file.Read(0);
                });
        }),
        new("merge x flush of the origin (C6)", () =>
        {
            var (universe, file, branch) = Begin();
            return universe.Run(
                () => branch.MergeInto(file),
                file.Flush,
                () => file.Read(0));
        }),
        new("merge of a branch that has punched x flush of the origin", () =>
        {
            var (universe, file, branch) = Begin();
            branch.Punch(0);
            return universe.Run(() => branch.MergeInto(file), file.Flush, () => file.Read(0));
        }),
        new("merge of a branch that was flushed x flush of the origin", () =>
        {
            var (universe, file, branch) = Begin();
            branch.Flush();
            file.Read(1);
            return universe.Run(
                () => branch.MergeInto(file),
                file.FlushVolume,
                () =>
                {
                    file.TryRead(1);
                    file.Read(1);
                });
        }),
        new("merge x fill x lease", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            var branch = file.Clone();
            branch.Punch(0);
            branch.Write(1);
            return universe.Run(
                () => branch.MergeInto(file),
                () => file.Read(0),
                () => file.Lease(1, () => file.Read(1)));
        }),
        new("merge of two branches: one is too late", () =>
        {
            var (universe, file, branch) = Begin();
            var other = file.Clone();
            other.Write(1);
            var merged = 0;
            return universe.Run(
                () => merged += branch.MergeInto(file) ? 1 : 0,
                () => merged += other.MergeInto(file) ? 1 : 0,
                () =>
                {
                    file.Read(0);
                    WriteUniverse.Require(merged <= 1, "two branches were merged into what only one of them began with");
                });
        }),
        new("merge x truncate of the origin x read", () =>
        {
            var (universe, file, branch) = Begin();
            branch.Grow(3);
            branch.Write(2);
            return universe.Run(
                () => branch.MergeInto(file),
                () =>
                {
                    file.Truncate(1);
                    file.Grow(2);
                },
                () => file.Read(0));
        }),
        new("merge x close of the origin's last other relative x flush", () =>
        {
            var (universe, file, branch) = Begin();
            var witness = file.Clone();
            return universe.Run(() => branch.MergeInto(file), witness.Close, file.FlushVolume);
        }),
    ];

    /// <summary>A file with a dirty page, and a branch in which that page and another one were written.</summary>
    private static (WriteUniverse Universe, WrittenFile File, WrittenFile Branch) Begin()
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
