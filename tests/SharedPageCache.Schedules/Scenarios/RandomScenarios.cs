using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>Random little programs: the engine changes blocks while two users read, lease, clone and close.</summary>
internal static class RandomScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("random: small pages", seed => Make(seed, Sector.Size)),
        new("random: composite pages", seed => Make(seed, 2 * Sector.Size)),
        new("random: few generations left", seed => Make(seed, Sector.Size, Frames.FrameState.LastGeneration - 3)),
    ];

    private static Instance Make(ulong seed, int pageSize, int firstGeneration = 1)
    {
        var dice = new Dice(seed ^ 0xA5A5);
        var universe = new Universe(
            frames: 3 + dice.Below(3), pageSize, (EvictionPolicy)dice.Below(2), firstGeneration);
        var factor = pageSize / Sector.Size;
        var file = factor == 1 ? universe.Open(10, 11) : universe.Open(10, 11, 20, 31);
        var stranger = factor == 1 ? universe.Open(10, 20) : universe.Open(20, 31, 10, 11);
        var heir = universe.Open([.. Enumerable.Repeat(-1L, factor)]);
        var others = universe.Open([.. Enumerable.Range(40, 3 * factor).Select(static sector => (long)sector)]);
        TestFile[] files = [file, stranger, file.Clone()];
        for (var warm = dice.Below(4); warm > 0; warm--)
        {
            files[dice.Below(3)].ReadNow(dice.Below(2));
        }

        return universe.Run(
            Engine(universe, heir, files, new Dice(dice.Next())),
            User(universe, files, heir, others, new Dice(dice.Next())),
            User(universe, files, heir, others, new Dice(dice.Next())));
    }

    private static Action Engine(Universe universe, TestFile heir, TestFile[] files, Dice dice) => () =>
    {
        for (var rest = 1 + dice.Below(2); rest > 0; rest--)
        {
            var sector = dice.Below(2) == 0 ? 10 : 20;
            switch (dice.Below(4))
            {
                case 0:
                    universe.Overwrite(sector);
                    break;
                case 1:
                    universe.GiveTo(sector, heir);
                    heir.ReadNow(0);
                    rest = 1;
                    break;
                case 2:
                    universe.Relocate(sector, sector + 40);
                    rest = 1;
                    break;
                default:
                    var changed = files[dice.Below(3)];
                    changed.Remap(dice.Below(2), 100);
                    changed.Invalidate();
                    changed.ReadNow(0);
                    break;
            }
        }
    };

    private static Action User(Universe universe, TestFile[] files, TestFile heir, TestFile others, Dice dice) => () =>
    {
        for (var rest = 1 + dice.Below(3); rest > 0; rest--)
        {
            var file = files[dice.Below(3)];
            var page = dice.Below(2);
            switch (dice.Below(12))
            {
                case 0 or 1 or 2:
                    file.ReadNow(page);
                    break;
                case 3:
                    file.TryRead(page);
                    break;
                case 4 or 5:
                    file.TryLease(page, static () => { });
                    break;
                case 6:
                    file.Lease(page, static () => { });
                    break;
                case 7:
                    var clone = file.Clone();
                    clone.ReadNow(page);
                    clone.File.Dispose();
                    break;
                case 8:
                    universe.Cache.Engine.Rooms.Sweeper.Sweep();
                    break;
                case 9:
                    heir.ReadNow(0);
                    break;
                default:
                    others.ReadNow(dice.Below(3));
                    break;
            }
        }
    };
}
