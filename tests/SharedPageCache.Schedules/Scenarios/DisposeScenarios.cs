using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>
/// Dispose x everything: each call of the public surface while its file is closed, its volume detached, its cache disposed. It is done, or it
/// says that what it works on is gone; nothing stays pinned, listed or dirty that belongs to what is gone, and what is not gone is right.
/// </summary>
internal static class DisposeScenarios
{
    /// <summary>What is done to a file with a dirty, a clean and an unread page, to its clone, or to their volume.</summary>
    private static readonly (string Name, Action<WriteUniverse, WrittenFile, WrittenFile> Act)[] Acts =
    [
        ("read", static (_, file, _) => file.Read(2)),
        ("read of what is in memory", static (_, file, _) => file.TryRead(1)),
        ("lease of a dirty page", static (_, file, _) => file.Lease(0, static () => { })),
        ("lease that loads", static (_, file, _) => file.Lease(2, static () => { })),
        ("write", static (_, file, _) => file.Write(1)),
        ("write in part that loads", static (_, file, _) => file.WriteHalf(2, 1)),
        ("write of several pages", static (_, file, _) => file.WritePages(0, 3)),
        ("write lease", static (_, file, _) => file.LeaseForWrite(0, 1, static () => { })),
        ("abandoned write lease", static (_, file, _) => file.AbandonLease(2, static () => { })),
        ("flush", static (_, file, _) => file.Flush()),
        ("flush of the volume", static (universe, _, _) => universe.FlushAll()),
        ("background writer", static (universe, _, _) => universe.WriteInBackground()),
        ("write around", static (_, file, _) => file.WriteAround(1)),
        ("clone", static (_, file, _) => file.Clone()),
        ("clone x write by the clone", static (_, file, _) => file.Clone().WriteHalf(0, 0)),
        ("range clone", static (_, file, clone) => clone.CloneRange(file, 0, 1, 2)),
        ("range clone with edges", static (_, file, clone) => clone.CloneHalves(file, 1, 1, 4)),
        ("dedupe", static (_, file, clone) => clone.Dedupe(file, 0, 0, 3)),
        ("merge", static (_, file, clone) => clone.MergeLiveInto(file)),
        ("difference", static (_, file, clone) => clone.File.DiffPages(file.File)),
        ("truncate and grow", static (_, file, _) =>
        {
            file.Truncate(1);
            file.Grow(3);
        }),
        ("punch", static (_, file, _) => file.Punch(0, 2)),
        ("delete", static (_, file, _) => file.File.Delete()),
        ("close", static (_, file, _) => file.Close()),
        ("reopen", static (_, file, _) => file.Reopen().ReadIfOpen(0)),
        ("invalidate extents", static (_, file, _) => file.File.InvalidateExtents(0, file.File.Length)),
        ("discard", static (universe, file, _) => universe.Volume.Discard(new BlockRun(11 * Sector.Size, 2 * Sector.Size))),
        ("direct write", static (universe, _, _) => universe.Open(13).WriteDirectly(0)),
        ("bad block and repair", static (universe, _, clone) =>
        {
            universe.Device.Guard = static _ => { };
            clone.BreakAndRepair(2);
        }),
        ("reverse query", static (universe, _, _) => _ = universe.Volume.FindReferences(new BlockRun(11 * Sector.Size, Sector.Size)).Count()),
        ("evict", static (universe, _, _) => universe.Evict()),
        ("sweep", static (universe, _, _) => universe.Cache.Engine.Rooms.Sweeper.Sweep()),
        ("verify", static (universe, _, _) => universe.Cache.Verify()),
        ("attach and detach of another volume", static (universe, _, _) => universe.ReadAllBlocksOfASuccessor()),
    ];

    public static IEnumerable<Scenario> All => Acts.SelectMany(static act => (IEnumerable<Scenario>)
    [
        new($"cache disposed x {act.Name}", () =>
        {
            var (universe, file, clone) = Make();
            return universe.RunToTheEnd(() => IfThere(act.Act, universe, file, clone), universe.Cache.Dispose);
        }),
        new($"volume detached x {act.Name}", () =>
        {
            var (universe, file, clone) = Make();
            return universe.RunToTheEnd(
                () => IfThere(act.Act, universe, file, clone), universe.Volume.Dispose, () => file.IfOpen(() => file.TryRead(0)));
        }),
        new($"file closed x {act.Name}", () =>
        {
            var (universe, file, clone) = Make();
            return universe.Run(() => IfThere(act.Act, universe, file, clone), file.Close, () => clone.Read(0));
        }),
    ]);

    private static (WriteUniverse Universe, WrittenFile File, WrittenFile Clone) Make()
    {
        var universe = new WriteUniverse(frames: 12);
        var file = universe.Open(id: 1, 10, 11, 12);
        file.Read(1);
        file.Write(0);
        return (universe, file, file.Clone());
    }

    private static void IfThere(
        Action<WriteUniverse, WrittenFile, WrittenFile> act, WriteUniverse universe, WrittenFile file, WrittenFile clone)
    {
        try
        {
            act(universe, file, clone);
        }
        catch (ObjectDisposedException gone)
        {
            Scheduler.Note(gone.Message);
        }
        catch (CacheWritebackException failed) when (failed.InnerException is ObjectDisposedException)
        {
            // The engine has discarded a block of the volume while it was asked for a place.
            Scheduler.Note(failed.Message);
        }
    }
}
