using SharedPageCache.Schedules.Exploring;
using SharedPageCache.Schedules.World;

namespace SharedPageCache.Schedules.Scenarios;

/// <summary>
/// Random little programs of three users that write (through pages, leases, and around the cache), read, lease, clone, clone ranges,
/// dedupe, merge, flush, punch, truncate; the seed draws them.
/// </summary>
internal static class RandomWriteScenarios
{
    public static IEnumerable<Scenario> All =>
    [
        new("random writes", seed => Make(seed, failures: false)),
        new("random writes over failing devices", seed => Make(seed, failures: true)),
        new("random writes, placed in place", seed => Make(seed, failures: false, inPlace: true)),
        new("random writes, in generations", seed => Make(seed, failures: false, generations: true)),
    ];

    private static Instance Make(ulong seed, bool failures, bool inPlace = false, bool generations = false)
    {
        var dice = new Dice(seed ^ 0x5A5A);
        var universe = new WriteUniverse(frames: 20 + dice.Below(8), inPlace: inPlace, generations: generations);
        var file = universe.Open(id: 1, 10, 11, -1);
        var files = new List<WrittenFile> { file };
        for (var warm = dice.Below(4); warm > 0; warm--)
        {
            Act(universe, files, ref dice, depth: 0, failures);
        }

        if (failures)
        {
            (universe.Device.FailingWrites, universe.Device.FailingFlushes) = (dice.Below(2), dice.Below(2));
            (universe.Store.FailingPublishes, universe.Store.FailingPersists) = (dice.Below(2), dice.Below(2));
        }

        return universe.Run(
            User(universe, files, new Dice(dice.Next()), failures),
            User(universe, files, new Dice(dice.Next()), failures),
            User(universe, files, new Dice(dice.Next()), failures));
    }

    private static Action User(WriteUniverse universe, List<WrittenFile> files, Dice dice, bool failures) => () =>
    {
        var own = new List<WrittenFile>(files);
        for (var rest = 1 + dice.Below(3); rest > 0; rest--)
        {
            try
            {
                Act(universe, own, ref dice, depth: 1, failures);
            }
            catch (CacheWritebackException failure) when (failures)
            {
                // There was no room, and nothing that is dirty could be written back.
                Scheduler.Note($"refused: {failure.Message}");
            }
        }
    };

    private static void Act(WriteUniverse universe, List<WrittenFile> files, ref Dice dice, int depth, bool failures)
    {
        var file = files[dice.Below(files.Count)];
        var page = dice.Below(3);
        switch (dice.Below(24))
        {
            case 0 or 1:
                file.Write(page);
                break;
            case 2 or 3 or 4:
                file.WriteHalf(page, dice.Below(2));
                break;
            case 5:
                file.WritePages(0, 2);
                break;
            case 6 or 7:
                files.Add(file.Clone());
                break;
            case 8 or 9:
                file.FlushIfSound();
                break;
            case 10:
                file.Punch(page);
                break;
            case 11 when depth == 0:
                file.Truncate(1);
                file.Grow(3);
                break;
            case 12:
                universe.Evict();
                break;
            case 13:
                universe.WriteInBackground();
                break;
            case 14 when file.File.Length >= 3 * Sector.Size:
                file.Lease(page, static () => { });
                break;
            case 16:
                var source = files[dice.Below(files.Count)];
                var (from, pages) = (dice.Below(3), 1 + dice.Below(2));
                if (page + pages <= 3 && from + pages <= 3 && (source != file || Math.Abs(from - page) >= pages))
                {
                    file.CloneRange(source, from, page, pages);
                }

                break;
            case 17:
                var other = files[dice.Below(files.Count)];
                if (other != file)
                {
                    file.CloneHalves(other, 1, 1, 4);
                }

                break;
            case 18 when !failures:
                file.WriteAroundIfInside(page, 1 + dice.Below(2));
                break;
            case 19 or 20:
                file.LeaseForWrite(page, dice.Below(2), static () => { });
                break;
            case 21:
                if (files[dice.Below(files.Count)] is var target && target != file)
                {
                    file.MergeLiveInto(target);
                }

                break;
            case 22:
                if (files[dice.Below(files.Count)] is var like && like != file)
                {
                    file.Dedupe(like, page, page, 3 - page);
                }

                break;
            default:
                file.Read(page);
                break;
        }
    }
}
