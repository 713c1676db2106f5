using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Holes that begin and end inside pages: the ends are written, what lies between is cut.</summary>
internal static class PunchScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("punch of a half x write of the other half", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            return universe.Run(() => file.PunchHalves(1, 1), () => file.WriteHalf(0, 0));
        }, Bounded: true),
        new("punch of a half x write of it x read", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            return universe.Run(() => file.PunchHalves(0, 1), () => file.WriteHalf(0, 0), () => file.Read(0));
        }),
        new("punch with ends x writes of the ends", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            return universe.Run(() => file.PunchHalves(1, 4), () => file.WriteHalf(0, 1), () => file.WriteHalf(2, 1));
        }),
        new("punch with ends x flush x write between", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.WritePages(0, 3);
            return universe.Run(() => file.PunchHalves(1, 4), file.Flush, () => file.WriteHalf(1, 0));
        }),
        new("punch with ends x clone x read of the clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.Write(1);
            return universe.Run(() => file.PunchHalves(1, 4), () => file.Clone().Read(1));
        }),
        new("punch with ends x truncate x grow", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.Write(2);
            return universe.Run(
                () => file.PunchHalves(3, 2),
                () =>
                {
                    file.Truncate(2);
                    file.Grow(3);
                });
        }),
        new("punch with ends x write lease of an end", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Read(0);
            return universe.Run(() => file.PunchHalves(1, 3), () => file.LeaseForWrite(0, 0, static () => { }));
        }),
        new("punch with ends x punch with ends", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11, 12);
            file.Write(1);
            return universe.Run(() => file.PunchHalves(1, 3), () => file.PunchHalves(2, 3), () => file.Read(1));
        }),
        new("punch with ends of a clone x write by the origin x flush", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.WritePages(0, 2);
            var clone = file.Clone();
            return universe.Run(() => clone.PunchHalves(1, 2), () => file.WriteHalf(0, 1), universe.FlushAll);
        }),
        new("punch of a half over a failing device", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            universe.Device.FailingWrites = 1;
            return universe.Run(() => file.PunchHalves(1, 2), () => file.FlushIfSound(), () => file.Read(0));
        }),
    ];
}
