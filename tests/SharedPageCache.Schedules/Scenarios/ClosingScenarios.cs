using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Files that are closed or deleted while a write-back is under way.</summary>
internal static class ClosingScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("close (dirty, lingers) x flush x reopen by id", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(id: 7, 10, 11);
            file.Write(0);
            return universe.Run(
                () =>
                {
                    file.Close();
                    var again = file.Reopen();
                    again.Read(0);
                    again.WriteHalf(0, 1);
                },
                universe.FlushAll,
                universe.WriteInBackground);
        }),
        new("close x close x flush", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(id: 7, 10);
            file.Write(0);
            var again = file.Reopen();
            var clone = file.Clone();
            return universe.Run(
                file.Close,
                () =>
                {
                    again.Close();
                    again.Reopen().Read(0);
                },
                () =>
                {
                    clone.Flush();
                    clone.Close();
                });
        }),
        new("close x overwrite during write-back", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(id: 7, 10);
            file.Write(0);
            return universe.Run(
                universe.FlushAll,
                () =>
                {
                    file.Write(0);
                    file.Close();
                    file.Reopen().Read(0);
                });
        }),
        new("close of a clone x write-back", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(
                file.Flush,
                clone.Close,
                () =>
                {
                    file.WriteHalf(0, 0);
                    file.Flush();
                });
        }),
        new("delete and close of a clone x write-back x write", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            var clone = file.Clone();
            clone.Write(1);
            return universe.Run(
                universe.FlushAll,
                () =>
                {
                    clone.File.Delete();
                    clone.Close();
                },
                () => file.WriteHalf(0, 0));
        }),
        new("punch and close x write-back x reopen by id", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(id: 7, 10, 11);
            file.Write(0);
            return universe.Run(
                universe.FlushAll,
                () =>
                {
                    file.Punch(0);
                    file.Close();
                    var again = file.Reopen();
                    again.Read(0);
                    again.Write(0);
                });
        }),
        new("delete x write-back", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            var other = universe.Open(11);
            file.Write(0);
            other.Write(0);
            return universe.Run(universe.FlushAll, () => file.File.Delete(), () => other.WriteHalf(0, 0));
        }),
        new("delete x write-back x clone", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            file.Write(0);
            var clone = file.Clone();
            return universe.Run(clone.Flush, () => file.File.Delete(), () => clone.WriteHalf(0, 0));
        }),
    ];
}
