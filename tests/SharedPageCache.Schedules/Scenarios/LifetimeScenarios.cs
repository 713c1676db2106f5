using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Failures, exhaustion, quotas, the self-check, and the end of volumes and caches.</summary>
internal static class LifetimeScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("load failure x waiter", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var other = universe.Open(10, -1);
            universe.Device.Failing = 1;
            return universe.Run(() => file.ReadIfSound(0), () => other.ReadIfSound(0));
        }, Bounded: true),
        new("load failure x waiter x discard", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var other = universe.Open(10, -1);
            universe.Device.Failing = 1;
            return universe.Run(
                () => file.ReadIfSound(0), () => other.ReadIfSound(0), () => universe.Overwrite(10));
        }),
        new("composite load failure x waiter", () =>
        {
            var universe = new Universe(pageSize: 2 * Sector.Size);
            var file = universe.Open(10, 21);
            universe.Device.Failing = 1;
            return universe.Run(() => file.ReadIfSound(0), () => file.ReadIfSound(0));
        }),
        new("three loads, two frames (reads around)", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20, 30);
            return universe.Run(file.Read(0), file.Read(1), file.Read(2));
        }),
        new("read around x overwrite", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20, 30);
            file.ReadNow(1);
            return universe.Run(
                () => file.TryLease(1, file.Read(0)),
                () =>
                {
                    file.ReadNow(2);
                    file.ReadNow(0);
                },
                () => universe.Overwrite(10));
        }),
        new("lease quota sweep x lease", () =>
        {
            var universe = new Universe(frames: 5);
            var file = universe.Open(10, 20, 30);
            for (var page = 0; page < 3; page++)
            {
                file.ReadNow(page);
            }

            var rooms = universe.Cache.Engine.Rooms;
            void Lease(int page) => file.TryLease(page, () =>
            {
                var pinned = Enumerable.Range(0, rooms.Frames.Count).Where(frame => rooms.Frames[frame].Pins > 0).ToArray();
                Universe.Require(
                    rooms.Quota.Limit >= 1 && pinned.Length > 0, "a lease pins its frame");
            });
            return universe.Run(() => Lease(0), () => Lease(1), () => Lease(2));
        }),
        new("leases wait for each other", () =>
        {
            var universe = new Universe(frames: 4);
            var file = universe.Open(10, 20);
            return universe.Run(
                () => file.Lease(0, static () => { }), () => file.Lease(1, static () => { }), () => file.Lease(0, static () => { }));
        }),
        new("dispose x read", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 20);
            file.ReadNow(0);
            return universe.RunToTheEnd(
                () =>
                {
                    file.ReadIfOpen(0);
                    file.ReadIfOpen(1);
                },
                universe.Cache.Dispose);
        }),
        new("dispose x load x load", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 20);
            var other = universe.Open(10, -1);
            return universe.RunToTheEnd(() => file.ReadIfOpen(0), () => other.ReadIfOpen(0), universe.Cache.Dispose);
        }),
        new("dispose x lease", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.RunToTheEnd(
                () =>
                {
                    try
                    {
                        file.TryLease(0, static () => { });
                    }
                    catch (ObjectDisposedException)
                    {
                    }
                },
                universe.Cache.Dispose);
        }),
        new("dispose x evict", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20, 30);
            file.ReadNow(0);
            file.ReadNow(1);
            return universe.RunToTheEnd(() => file.ReadIfOpen(2), universe.Cache.Dispose);
        }),
        new("dispose x composite load", () =>
        {
            var universe = new Universe(pageSize: 2 * Sector.Size);
            var file = universe.Open(10, 21);
            return universe.RunToTheEnd(() => file.ReadIfOpen(0), universe.Cache.Dispose);
        }),
        new("volume detach x load", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 20);
            file.ReadNow(1);
            return universe.RunToTheEnd(
                () => file.ReadIfOpen(0),
                universe.Volume.Dispose,
                () => file.ReadIfOpen(1));
        }),
        new("volume detach x detach x lease", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.RunToTheEnd(
                universe.Volume.Dispose,
                universe.Volume.Dispose,
                () =>
                {
                    try
                    {
                        file.TryLease(0, static () => { });
                    }
                    catch (ObjectDisposedException)
                    {
                    }
                });
        }),
        new("volume detach x relocate", () =>
        {
            var universe = new Universe();
            universe.Open(10).ReadNow(0);
            return universe.RunToTheEnd(universe.Volume.Dispose, () => universe.RelocateIfAttached(10, 20));
        }),
        new("volume detach x relocate of its successor's blocks", () =>
        {
            var universe = new Universe(volumeNumbers: 1);
            universe.Open(10).ReadNow(0);
            return universe.RunToTheEnd(
                () =>
                {
                    universe.Volume.Dispose();
                    using var successor = universe.Cache.AttachVolume(universe.Device);
                    var file = universe.Add(new TestFile(
                        universe, successor.OpenFile(new Extents(universe, [10, 20]), 2 * Sector.Size)));
                    file.ReadNow(0);
                    file.ReadNow(1);
                    file.ReadNow(0);
                },
                () => universe.RelocateIfAttached(10, 20));
        }),
        new("verify x evict", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20, 30, 40);
            file.ReadNow(0);
            file.ReadNow(1);
            return universe.Run(
                universe.Cache.Verify,
                () =>
                {
                    file.ReadNow(2);
                    file.ReadNow(3);
                });
        }),
        new("verify x overwrite", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 20);
            file.ReadNow(0);
            return universe.Run(
                universe.Cache.Verify,
                () =>
                {
                    universe.Overwrite(10);
                    file.ReadNow(0);
                });
        }),
        new("reverse query x evict x clone", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20);
            var others = universe.Open(30, 40);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    var places = universe.Volume.FindReferences(Universe.Run(10)).ToList();
                    Universe.Require(
                        places.Count is 1 or 2, $"{places.Count} places were found where file, and perhaps its clone, show the block");
                },
                () => file.Clone(),
                () =>
                {
                    others.ReadNow(0);
                    others.ReadNow(1);
                });
        }),
    ];

    /// <summary>Content moves on a volume that may be detached meanwhile.</summary>
    private static void RelocateIfAttached(this Universe universe, long from, long to)
    {
        try
        {
            universe.Volume.Relocate(Universe.Run(from), Universe.Run(to));
        }
        catch (ObjectDisposedException)
        {
            Scheduler.Note("the volume is detached");
        }
    }
}
