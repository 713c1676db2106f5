using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Pages leased for writing that meet everything else. Letters: the tables of hazards.</summary>
internal static class WriteLeaseScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("write lease x write of the other half", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            return universe.Run(
                () => file.LeaseForWrite(0, 0, static () => { }),
                () => file.WriteHalf(0, 1),
                () => file.Read(0));
        }),
        new("write lease x write in place", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.LeaseForWrite(0, 0, static () => { }),
                () => file.WriteHalf(0, 1),
                () => file.TryRead(0));
        }),
        new("write lease x write lease of one page", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.LeaseForWrite(0, 0, static () => { }),
                () => file.LeaseForWrite(0, 1, static () => { }));
        }),
        new("write leases of neighbours are committed at once", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            return universe.Run(
                () => file.LeaseForWrite(0, 0, static () => { }),
                () => file.LeaseForWrite(1, 1, static () => { }),
                () => file.Clone().ReadAll());
        }),
        new("write lease x clone x write by the clone (Q4)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.LeaseForWrite(0, 0, () => file.Read(0)),
                () =>
                {
                    var clone = file.Clone();
                    clone.WriteHalf(0, 1);
                    clone.Read(0);
                });
        }),
        new("write lease x lease x flush (A2c)", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.LeaseForWrite(0, 1, static () => { }),
                () => file.Lease(0, static () => { }),
                file.Flush);
        }),
        new("write lease x background write-back x evict", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            return universe.Run(
                () => file.LeaseForWrite(0, 0, static () => { }),
                universe.WriteInBackground,
                universe.Evict);
        }),
        new("write lease x punch", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            return universe.Run(
                () =>
                {
                    file.LeaseForWrite(0, 0, static () => { });
                    file.Read(0);
                },
                () =>
                {
                    file.Punch(0);
                    file.Read(0);
                });
        }),
        new("write lease x truncate and grow", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.Write(2);
            return universe.Run(
                () => file.LeaseForWrite(2, 0, static () => { }),
                () =>
                {
                    file.Truncate(1);
                    file.Grow(3);
                    file.Read(2);
                });
        }),
        new("write lease that is let go x write x read", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.AbandonLease(0, () => file.Read(0)),
                () => file.WriteHalf(0, 1),
                () => file.Clone().Read(0));
        }),
        new("write lease x close", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(
                () => file.IfOpen(() => file.LeaseForWrite(0, 0, static () => { })),
                file.Close);
        }),
    ];
}
