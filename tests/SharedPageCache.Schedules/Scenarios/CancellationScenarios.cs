using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Whoever waits may give up: what it held is given back, what it waited for goes on, and nobody else notices.</summary>
internal static class CancellationScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("cancel x load x waiter", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var other = universe.Open(10);
            var source = new CancellationTokenSource();
            return universe.Run(file.Read(0), () => ReadOrGiveUp(other, 0, source.Token), source.Cancel);
        }),
        new("cancel x load x waiter x discard", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => ReadOrGiveUp(file, 0, source.Token), file.Read(0), () => universe.Overwrite(10), source.Cancel);
        }),
        new("cancel x read around", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20, 30);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => ReadOrGiveUp(file, 0, source.Token), () => ReadOrGiveUp(file, 1, source.Token), file.Read(2), source.Cancel);
        }),
        new("cancel x lease that waits for another", () =>
        {
            var universe = new Universe(frames: 4);
            var file = universe.Open(10, 20);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => file.Lease(0, static () => { }),
                () => LeaseOrGiveUp(file, 1, source.Token),
                source.Cancel);
        }),
        new("cancel x range lease", () =>
        {
            var universe = new Universe(frames: 6);
            var file = universe.Open(10, 20);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => OrGiveUp(() => Complete(file.File.PinRangeAsync(0, 2 * Sector.Size, source.Token)).Dispose()),
                () => file.Lease(1, static () => { }),
                source.Cancel);
        }),
        new("cancel x write that waits for a page", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => file.LeaseForWrite(0, 0, static () => { }),
                () => OrGiveUp(() => file.WriteHalf(0, 1, source.Token)),
                source.Cancel);
        }),
        new("cancel x write lease that waits for a page", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => file.WriteHalf(0, 1),
                () => OrGiveUp(() => Complete(file.File.LeaseForWriteAsync(0, cancellationToken: source.Token)).Dispose()),
                () => file.LeaseForWrite(0, 0, static () => { }),
                source.Cancel);
        }),
        new("cancel x flush x flush", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(0);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => OrGiveUp(() => Complete(file.File.FlushAsync(source.Token))),
                file.Flush,
                () => file.WriteHalf(1, 0),
                source.Cancel);
        }),
        new("cancel x truncate x grow", () =>
        {
            var universe = new WriteUniverse();
            var file = universe.Open(10, 11);
            file.Write(1);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => file.Grow(3),
                () => OrGiveUp(() => Complete(file.File.SetLengthAsync(4 * Sector.Size, source.Token))),
                source.Cancel);
        }),
        new("cancel x prefetch x read", () =>
        {
            var universe = new Universe(frames: 6);
            var file = universe.Open(10, 20, 21);
            var source = new CancellationTokenSource();
            return universe.Run(
                () => OrGiveUp(() => Complete(file.File.PrefetchAsync(0, 3 * Sector.Size, source.Token))), file.Read(1), source.Cancel);
        }),
    ];

    private static void ReadOrGiveUp(TestFile file, int page, CancellationToken token) => OrGiveUp(() => file.ReadAwaiting(page, token));

    private static void LeaseOrGiveUp(TestFile file, int page, CancellationToken token) =>
        OrGiveUp(() => Complete(file.File.PinAsync((long)page * Sector.Size, token)).Dispose());

    private static void OrGiveUp(Action act)
    {
        try
        {
            act();
        }
        catch (OperationCanceledException)
        {
            Scheduler.Note("has given up");
        }
    }

    private static void Complete(ValueTask task)
    {
        Universe.Require(task.IsCompleted, "a logical thread waits by blocking");
        task.GetAwaiter().GetResult();
    }

    private static T Complete<T>(ValueTask<T> task)
    {
        Universe.Require(task.IsCompleted, "a logical thread waits by blocking");
        return task.AsTask().GetAwaiter().GetResult();
    }
}
