using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Reads and leases against eviction.</summary>
internal static class ReadScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("optimistic read x evict x refill", () =>
        {
            var universe = new Universe(frames: 3);
            var first = universe.Open(10);
            var second = universe.Open(20);
            var third = universe.Open(30);
            first.ReadNow(0);
            second.ReadNow(0);
            return universe.Run(() => first.TryRead(0), third.Read(0), second.Read(0));
        }),
        new("read of two words x evict x refill", () =>
        {
            var universe = new Universe(frames: 3);
            var first = universe.Open(10);
            var second = universe.Open(20);
            var third = universe.Open(30);
            first.ReadNow(0);
            second.ReadNow(0);
            return universe.Run(() => first.TryReadWords(0, 6), third.Read(0), second.Read(0));
        }),
        new("claim x pin", () =>
        {
            var universe = new Universe(frames: 3);
            var file = universe.Open(10);
            file.ReadNow(0);
            var rooms = universe.Cache.Engine.Rooms;
            return universe.Run(
                () =>
                {
                    if (rooms.Reclaimer.TryEvict(out var frame))
                    {
                        // What the next tenant does.
                        rooms.Arena.Span(frame).Fill(0xEE);
                        rooms.Pool.Push(frame);
                    }
                },
                () =>
                {
                    file.TryLease(0, static () => { });
                    file.TryRead(0);
                });
        }, Bounded: true),
        new("pin x claim", () =>
        {
            var universe = new Universe(frames: 3);
            var first = universe.Open(10);
            var second = universe.Open(20);
            var third = universe.Open(30);
            first.ReadNow(0);
            second.ReadNow(0);
            return universe.Run(() => first.TryLease(0, static () => { }), third.Read(0));
        }, Bounded: true),
        new("lease x evict", () =>
        {
            var universe = new Universe(frames: 3);
            var first = universe.Open(10);
            var others = universe.Open(20, 30, 40);
            first.ReadNow(0);
            return universe.Run(
                () => first.TryLease(0, static () => { }),
                () =>
                {
                    others.ReadNow(0);
                    others.ReadNow(1);
                    others.ReadNow(2);
                });
        }),
        new("lease of a hot page x evict", () =>
        {
            var universe = new Universe(frames: 3);
            var first = universe.Open(10);
            var others = universe.Open(20, 30, 40);
            first.ReadNow(0);
            for (var use = 0; use < 4; use++)
            {
                first.TryLease(0, static () => { });
            }

            return universe.Run(
                () => first.TryLease(0, static () => { }),
                () =>
                {
                    others.ReadNow(0);
                    others.ReadNow(1);
                    others.ReadNow(2);
                });
        }),
        new("minor fault x evict", () =>
        {
            var universe = new Universe(frames: 3);
            var first = universe.Open(10, 11);
            var stranger = universe.Open(10);
            var third = universe.Open(30, 31);
            first.ReadNow(0);
            return universe.Run(
                stranger.Read(0),
                () =>
                {
                    third.ReadNow(0);
                    third.ReadNow(1);
                });
        }),
        new("two loads of one block", () =>
        {
            var universe = new Universe();
            var first = universe.Open(10);
            var second = universe.Open(10, -1);
            return new Instance
            {
                Threads = [first.Read(0), second.Read(0)],
                Check = () =>
                {
                    Universe.Require(universe.Device.Reads[10] == 1, $"the block was read {universe.Device.Reads[10]} times (C1)");
                    universe.Check();
                },
                NameOf = universe.NameOf,
            };
        }),
    ];
}
