using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Discard, overwrite and relocate against everything that makes pages visible.</summary>
internal static class InvalidationScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("lease x discard", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var other = universe.Open(-1);
            file.ReadNow(0);
            return universe.Run(
                () => file.TryLease(0, static () => { }),
                () =>
                {
                    universe.GiveTo(10, other);
                    other.ReadNow(0);
                });
        }, Bounded: true),
        new("lease x lease x discard", () =>
        {
            var universe = new Universe(frames: 6);
            var file = universe.Open(10, 11);
            var other = universe.Open(-1);
            file.ReadNow(0);
            return universe.Run(
                () => file.TryLease(0, static () => { }),
                () => file.Lease(0, static () => { }),
                () => universe.GiveTo(10, other));
        }),
        new("read x discard", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var other = universe.Open(-1);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    file.TryRead(0);
                    file.ReadNow(0);
                },
                () =>
                {
                    universe.GiveTo(10, other);
                    other.ReadNow(0);
                });
        }),
        new("minor fault x discard and reuse", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var stranger = universe.Open(10, -1);
            var heir = universe.Open(-1);
            file.ReadNow(0);
            return universe.Run(
                stranger.Read(0),
                () =>
                {
                    universe.GiveTo(10, heir);
                    heir.ReadNow(0);
                });
        }),
        new("minor fault of a known leaf x discard and reuse", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var stranger = universe.Open(10, 11);
            var heir = universe.Open(-1);
            file.ReadNow(0);
            stranger.ReadNow(1);
            return universe.Run(
                stranger.Read(0),
                () =>
                {
                    universe.GiveTo(10, heir);
                    heir.ReadNow(0);
                },
                heir.Read(0));
        }),
        new("load x discard and reuse", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var heir = universe.Open(-1);
            return universe.Run(
                file.Read(0),
                () =>
                {
                    universe.GiveTo(10, heir);
                    heir.ReadNow(0);
                });
        }),
        new("load of a known leaf x discard and reuse", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 11);
            var heir = universe.Open(-1);
            file.ReadNow(1);
            return universe.Run(
                file.Read(0),
                () =>
                {
                    universe.GiveTo(10, heir);
                    heir.ReadNow(0);
                },
                heir.Read(0));
        }),
        new("load x waiter x discard", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 11);
            var other = universe.Open(10, -1);
            file.ReadNow(1);
            return universe.Run(file.Read(0), other.Read(0), () => universe.Overwrite(10));
        }),
        new("read x overwrite", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    file.TryRead(0);
                    file.ReadNow(0);
                },
                () =>
                {
                    universe.Overwrite(10);
                    file.ReadNow(0);
                });
        }),
        new("overwrite x overwrite x read", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 20);
            return universe.Run(
                () => universe.Overwrite(10),
                () => universe.Overwrite(20),
                () =>
                {
                    file.ReadNow(0);
                    file.ReadNow(1);
                });
        }),
        new("discard x discard of one block x read", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(
                () => universe.Discard10Twice(),
                () => universe.Volume.Discard(Universe.Run(10)),
                file.Read(0));
        }),
        new("discard x evict", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20, 30);
            var heir = universe.Open(-1);
            file.ReadNow(0);
            file.ReadNow(1);
            return universe.Run(
                file.Read(2),
                () =>
                {
                    universe.GiveTo(10, heir);
                    heir.ReadNow(0);
                });
        }),
        new("discard x evict x lease", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10, 20, 30);
            var heir = universe.Open(-1);
            file.ReadNow(0);
            file.ReadNow(1);
            return universe.Run(
                file.Read(2),
                () => universe.GiveTo(10, heir),
                () => file.TryLease(0, static () => { }));
        }),
        new("claim x pin x discard", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10);
            var heir = universe.Open(-1);
            file.ReadNow(0);
            var rooms = universe.Cache.Engine.Rooms;
            return universe.Run(
                () =>
                {
                    if (rooms.Reclaimer.TryEvict(out var frame))
                    {
                        rooms.Pool.Push(frame);
                    }
                },
                () => file.TryLease(0, static () => { }),
                () => universe.GiveTo(10, heir));
        }),
        new("load x waiter x remap", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10, 11);
            file.ReadNow(1);
            return universe.Run(
                file.Read(0),
                file.Read(0),
                () =>
                {
                    file.Remap(0, 20);
                    file.Invalidate();
                    file.ReadNow(0);
                });
        }),
        new("composite load x discard", () =>
        {
            var universe = new Universe(pageSize: 2 * Sector.Size);
            var file = universe.Open(10, 21);
            var heir = universe.Open(-1, -1);
            return universe.Run(
                file.Read(0),
                () =>
                {
                    universe.GiveTo(21, heir);
                    heir.ReadNow(0);
                });
        }),
        new("composite load x waiter x overwrite", () =>
        {
            var universe = new Universe(pageSize: 2 * Sector.Size);
            var file = universe.Open(10, 21);
            return universe.Run(file.Read(0), file.Read(0), () => universe.Overwrite(21));
        }),
        new("composite read x overwrite x evict", () =>
        {
            var universe = new Universe(frames: 3, pageSize: 2 * Sector.Size);
            var file = universe.Open(10, 21, 30, 31, 40, 51);
            file.ReadNow(0);
            file.ReadNow(1);
            return universe.Run(
                () =>
                {
                    file.TryRead(0);
                    file.ReadNow(0);
                },
                () => universe.Overwrite(21),
                file.Read(2));
        }),
        new("relocate x read", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            var other = universe.Open(10, -1);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    file.TryRead(0);
                    file.ReadNow(0);
                },
                other.Read(0),
                () => universe.Relocate(10, 20));
        }),
        new("relocate x load", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            return universe.Run(file.Read(0), () => universe.Relocate(10, 20));
        }),
        new("relocate x lease", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(() => file.TryLease(0, static () => { }), () => universe.Relocate(10, 20));
        }),
        new("relocate x overwrite of the target", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(
                () => universe.Relocate(10, 20),
                () => universe.Volume.Discard(Universe.Run(20)),
                file.Read(0));
        }),
        new("relocate x discard of the origin", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(
                () => universe.Relocate(10, 20),
                () => universe.Volume.Discard(Universe.Run(10)),
                file.Read(0));
        }),
        new("relocate x evict", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10);
            var other = universe.Open(30, 40);
            file.ReadNow(0);
            other.ReadNow(0);
            return universe.Run(
                () => universe.Relocate(10, 20), other.Read(1), file.Read(0));
        }),
        new("relocate x load of the origin", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            universe.Device.Write(20, universe.Device[10]);
            return universe.Run(file.Read(0), () => universe.Volume.Relocate(Universe.Run(10), Universe.Run(20)));
        }),
        new("relocate x load of the target", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            universe.Device.Write(20, universe.Device[10]);
            var stranger = universe.Open(20, -1, -1);
            return universe.Run(
                () => universe.Volume.Relocate(Universe.Run(10), Universe.Run(20)), stranger.Read(0), file.Read(0));
        }),
        new("relocate on and back x read", () =>
        {
            var universe = new Universe();
            var file = universe.Open(10);
            file.ReadNow(0);
            return universe.Run(
                () =>
                {
                    universe.Relocate(10, 20);
                    universe.Relocate(20, 10);
                },
                () =>
                {
                    file.ReadNow(0);
                    file.ReadNow(0);
                });
        }),
        new("load of two pages x discard of the second x load into its frame (A6e)", () =>
        {
            var universe = new Universe(frames: 17);
            var file = universe.Open(10, 11);
            var other = universe.Open(30);
            return universe.Run(
                () => file.ReadRange(0, 2),
                () =>
                {
                    universe.Overwrite(11);
                    other.ReadNow(0);
                    other.TryRead(0);
                });
        }),
        new("load of two pages x discard of the second", () =>
        {
            var universe = new Universe(frames: 17);
            var file = universe.Open(10, 11);
            return universe.Run(() => file.ReadRange(0, 2), () => universe.Overwrite(11), file.Read(1));
        }),
    ];

    private static void Discard10Twice(this Universe universe)
    {
        universe.Volume.Discard(Universe.Run(10));
        universe.Volume.Discard(Universe.Run(10));
    }
}
